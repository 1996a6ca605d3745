//! The names of months in stamps, as strftime writes them in the languages that servers run in.
//!
//! Not here: days and times. Invariant: English names, which nearly all logs have, are found first
//! and without a search; where two languages use one name for two months, both are returned.

/// A month by its name. The second is what another language means by the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamedMonth {
    pub(crate) month: u8,
    pub(crate) other: Option<u8>,
}

/// The month that the text begins with, and what follows its space.
pub(crate) fn read(text: &[u8]) -> Option<(NamedMonth, &[u8])> {
    if let Some(month) = english(text) {
        return Some((NamedMonth { month, other: None }, &text[4..]));
    }
    // A single digit of a numbered month has a space in front: ` 5月`.
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let end = text.iter().take(LONGEST).position(|&byte| byte == b' ')?;
    let (word, rest) = (&text[..end], &text[end + 1..]);
    let may_be_of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b',' | 0x80..);
    if !word.iter().all(may_be_of_a_name) {
        return None;
    }
    match std::str::from_utf8(word) {
        Ok(word) => named(word, rest),
        // Accents of ISO 8859-1.
        Err(_) => named(&word.iter().map(|&byte| char::from(byte)).collect::<String>(), rest),
    }
}

/// Bytes of a name and its space.
const LONGEST: usize = 24;

/// The number of a month that is named by three English letters and a space.
fn english(text: &[u8]) -> Option<u8> {
    let [a, b, c, b' ', ..] = text else { return None };
    let number = match (a, b, c) {
        (b'J', b'a', b'n') => 1,
        (b'F', b'e', b'b') => 2,
        (b'M', b'a', b'r') => 3,
        (b'A', b'p', b'r') => 4,
        (b'M', b'a', b'y') => 5,
        (b'J', b'u', b'n') => 6,
        (b'J', b'u', b'l') => 7,
        (b'A', b'u', b'g') => 8,
        (b'S', b'e', b'p') => 9,
        (b'O', b'c', b't') => 10,
        (b'N', b'o', b'v') => 11,
        (b'D', b'e', b'c') => 12,
        _ => return None,
    };
    Some(number)
}

fn named<'t>(word: &str, rest: &'t [u8]) -> Option<(NamedMonth, &'t [u8])> {
    let word = word.trim_end_matches(['.', ',', '॰', '։']);
    if let Some(found) = levantine(word, rest) {
        return Some(found);
    }
    if let Some(month) = numbered(word) {
        return Some((NamedMonth { month, other: None }, rest));
    }
    if folded(word).eq("thg".chars()) {
        // Vietnamese has a word and a number: `Thg 11`.
        let (number, rest) = super::stamp_parts::number(rest, 2)?;
        let month = u8::try_from(number).ok().filter(|month| (1..=12).contains(month))?;
        return Some((NamedMonth { month, other: None }, rest.strip_prefix(b" ")?));
    }
    let is_name = |names: &&str| names.split(' ').any(|name| name.chars().eq(folded(word)));
    let mut months = (1..).zip(NAMES).filter(|(_, names)| is_name(names)).map(|(month, _)| month);
    let month = months.next()?;
    Some((NamedMonth { month, other: months.next() }, rest))
}

/// The four months of two words in the Levant: `تشرين الأول`, `كانون الثاني`.
fn levantine<'t>(word: &str, rest: &'t [u8]) -> Option<(NamedMonth, &'t [u8])> {
    let [first, second] = match word {
        "تشرين" => [10, 11],
        "كانون" => [12, 1],
        _ => return None,
    };
    let after = |number: &str| rest.strip_prefix(number.as_bytes())?.strip_prefix(b" ");
    let found = [("الأول", first), ("الاول", first), ("الثاني", second)];
    found.into_iter().find_map(|(number, month)| Some((NamedMonth { month, other: None }, after(number)?)))
}

/// `11月`, `11월`.
fn numbered(word: &str) -> Option<u8> {
    let number = word.strip_suffix('月').or_else(|| word.strip_suffix('월'))?;
    number.parse().ok().filter(|month| (1..=12).contains(month))
}

/// In lower case and without accents.
fn folded(word: &str) -> impl Iterator<Item = char> {
    word.chars()
        .flat_map(char::to_lowercase)
        .filter(|c| !matches!(c, '\u{300}'..='\u{36f}' | '\u{93c}'))
        .map(without_accent)
}

fn without_accent(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' | 'ģ' => 'g',
        'ì'..='ï' | 'ī' | 'ı' => 'i',
        'ķ' => 'k',
        'ł' | 'ļ' | 'ľ' => 'l',
        'ñ' | 'ń' | 'ň' | 'ņ' => 'n',
        'ò'..='ö' | 'ő' => 'o',
        'ř' => 'r',
        'ś' | 'ş' | 'š' | 'ș' => 's',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' | 'ϊ' | 'ΐ' => 'ι',
        'ό' => 'ο',
        'ύ' | 'ϋ' | 'ΰ' => 'υ',
        'ώ' => 'ω',
        'ё' => 'е',
        'й' => 'и',
        'أ' | 'إ' | 'آ' => 'ا',
        '\u{95e}' => 'फ',
        other => other,
    }
}

/// The names of each month, folded, without a period at the end.
const NAMES: [&str; 12] = [
    "جانفي ژانویه जनवरी जन հնվ հունվարի қаң қаңтар \
     yan ion ean \
     jan january januar janvier janv jann jaen enero ene gen gennaio genn xan urt ian ianuarie sty stycznia led \
     ledna sij jaan janvaris sau saus tam tammi oca ocak ιαν янв января січ січня сту студ яну ян јан januari \
     janeiro ינו ינואר ينا يناير იან ม.ค 一月",
    "شباط فيفري فوریه फरवरी फर փտր փետրվարի ақп ақпан \
     fev shk chw feabh \
     feb february februar fevrier fevr fev febrero febbraio febbr febr febraio ots lut lutego uno unora vel velj \
     veebr vas hel helmi sub subat φεβ фев февр февраля лют лютого фев februari fevereiro פבר פברואר فبر فبراير \
     თებ ก.พ 二月",
    "اذار مارچ मार्च մար մարտի нау наурыз \
     marta maw \
     mar march marz maerz mrz mars marzo marc maart mrt mac mart martie marec ozu brez bre brezna maa maalis kov \
     marts μαρ мар марта бер березня сак março marco מרץ مار مارس მარ มี.ค 三月",
    "نيسان افريل اوریل अप्रैल अप्रै ապր ապրիլի сәу сәуір \
     pri ebr aib \
     apr april avril avr abril abr aprile ape kwi kwietnia dub dubna tra trav huh huhti bal aprill nis nisan απρ \
     апр апреля кві квіт квітня кра אפר אפריל ابر ابريل აპრ เม.ย 四月",
    "ايار نوار مه مئی मई մայ մայիսի мам мамыр \
     beal \
     may mai mayo maggio mag magg mei maj maja maio kve kvetna svi svib tou touko geg maijs mayis μαι маи мая \
     тра травня мај מאי ماي مايو მაი พ.ค 五月",
    "حزيران جوان ژوئن जून հնս հունիսի мау маусым \
     iyn qer meh meith jui \
     jun june juni juin junio giugno giu giug juny jum xun eka cze czerwca cen cervna cer lip kes kesa bir birz \
     juuni haz haziran ιουν июн июня юни чер червня чэр јун junho iun iunie יונ יוני يون يونيو ივნ มิ.ย 六月",
    "تموز جويلية يوليوز ژوئیه جولائی जुलाई जुल հլս հուլիսի шіл шілде \
     iyl kor gor iuil jui \
     jul july juli juillet juil julio luglio lug lugl juliol xul uzt lip lipca cec cervence srp hei heina lie liep \
     juuli tem temmuz ιουλ июл июля юли лип липня ліп јул julho iul iulie יול יולי يول يوليو ივლ ก.ค 七月",
    "اب اوت غشت اوت अगस्त अग օգս օգոստոսի там тамыз \
     aou avq gsh aws lun \
     aug august aout agosto ago ag agost abu sie sierpnia srp srpna kol kolov elo rgp rugp agustos agu agt ags αυγ \
     авг августа сер серпня жні avg augustus ogos ogo augusts אוג אוגוסט اغس اغسطس აგვ ส.ค 八月",
    "ايلول شتنبر سپتامبر सितम्बर सितंबर सित սեպ սեպտեմբերի қыр қыркүиек \
     sen sht med mfomh \
     sep sept september septembre settembre set sett setembre septiembre ira wrz wrzesnia zar zari ruj rujna syy \
     syys rgs rugs eyl eylul σεπ σεπτ сен сент сентября вер вересня септ сеп setembro septembrie szept sze ספט \
     ספטמבר سبت سبتمبر სექ ก.ย 九月",
    "اکتبر अक्टूबर अक्तूबर अक्तू अक्टू հոկ հոկտեմբերի қаз қазан \
     tet hyd dfomh \
     oct october oktober octobre octubre ottobre ott out okt urr paz pazdziernika rij rijna lis list loka lok spa \
     spal eki ekim οκτ окт октября жов жовтня кас outubro octombrie oktober אוק אוקט אוקטובר اكت اكتوبر ოქტ ต.ค 十月",
    "نونبر نوامبر नवम्बर नवंबर नव նմբ նոյեմբերի қар қараша \
     noy nen tach samh \
     nov november novembre noviembre novem aza lis listopada listopadu stu studen marras lap lapkr kas kasim \
     νοε ноя нояб ноября лис листопада ліс ное нов novembro noi noiembrie nojabris נוב נובמבר نوف نوفمبر ნოე พ.ย \
     十一月",
    "دجنبر دسامبر दिसम्बर दिसंबर दिस դեկ դեկտեմբերի жел желтоқсан \
     dek dhj rha noll \
     dec december dezember dez decembre dicembre dic diciembre des desember abe gru grudnia pro prosince \
     prosinec jou joulu grd gruod ara aralik δεκ дек декабря гру грудня сне дец dis dezembro decembrie dets detsember \
     dicembre דצמ דצמבר ديس ديسمبر დეკ ธ.ค 十二月",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn month(word: &str) -> Option<u8> {
        let text = format!("{word} 15 10:00:00 mx");
        let (named, rest) = read(text.as_bytes())?;
        assert_eq!(rest, b"15 10:00:00 mx", "{word}");
        Some(named.month)
    }

    /// The short names of a year, as strftime gives them.
    const YEARS: [&str; 32] = [
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
        "janv. févr. mars avril mai juin juil. août sept. oct. nov. déc.",
        "ene feb mar abr may jun jul ago sep oct nov dic",
        "gen feb mar apr mag giu lug ago set ott nov dic",
        "jan fev mar abr mai jun jul ago set out nov dez",
        "jan feb mrt apr mei jun jul aug sep okt nov dec",
        "sty lut mar kwi maj cze lip sie wrz paź lis gru",
        "led úno bře dub kvě čen čec srp zář říj lis pro",
        "jan feb mar apr maj jun jul aug sep okt nov dec",
        "jan. feb. mars april mai juni juli aug. sep. okt. nov. des.",
        "yan fev mar apr may iyn iyl avq sen okt noy dek",
        "jan shk mar pri maj qer kor gsh sht tet nën dhj",
        "ion chw maw ebr mai meh gor aws med hyd tach rha",
        "ean feabh márta aib beal meith iúil lún mfómh dfómh samh noll",
        "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
        "jan. febr. márc. ápr. máj. jún. júl. aug. szept. okt. nov. dec.",
        "ian feb mar apr mai iun iul aug sep oct noi dec",
        "Oca Şub Mar Nis May Haz Tem Ağu Eyl Eki Kas Ara",
        "янв фев мар апр мая июн июл авг сен окт ноя дек",
        "січ лют бер кві тра чер лип сер вер жов лис гру",
        "Ιαν Φεβ Μαρ Απρ Μαΐ Ιουν Ιουλ Αυγ Σεπ Οκτ Νοε Δεκ",
        "1月 2月 3月 4月 5月 6月 7月 8月 9月 10月 11月 12月",
        "1월 2월 3월 4월 5월 6월 7월 8월 9월 10월 11월 12월",
        "sau. vas. kov. bal. geg. birž. liep. rugp. rugs. spal. lapkr. gruod.",
        "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
        "جانفي فيفري مارس أفريل ماي جوان جويلية أوت سبتمبر أكتوبر نوفمبر ديسمبر",
        "يناير فبراير مارس أبريل ماي يونيو يوليوز غشت شتنبر أكتوبر نونبر دجنبر",
        "ژانویه فوریه مارس آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر",
        "जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितम्बर अक्टूबर नवम्बर दिसम्बर",
        "Հնվ Փտր Մար Ապր Մայ Հնս Հլս Օգս Սեպ Հոկ Նմբ Դեկ",
        "қаң ақп нау сәу мам мау шіл там қыр қаз қар жел",
    ];

    #[test]
    fn months_are_known_in_the_languages_that_servers_run_in() {
        for year in YEARS {
            for (number, name) in (1..).zip(year.split(' ')) {
                let among = |found: NamedMonth| found.month == number || found.other == Some(number);
                let forms = [name.to_owned(), name.to_uppercase(), name.trim_end_matches('.').to_owned()];
                for form in forms {
                    let text = format!("{form} 15 10:00:00 mx");
                    assert!(read(text.as_bytes()).is_some_and(|(found, _)| among(found)), "{form} in {year}");
                }
            }
        }
        let levant = ["كانون الثاني", "شباط", "آذار", "نيسان", "أيار", "حزيران", "تموز", "آب", "أيلول"];
        let levant = levant.into_iter().chain(["تشرين الأول", "تشرين الثاني", "كانون الأول"]);
        assert!(levant.zip(1..).all(|(name, number)| month(name) == Some(number)));
        assert_eq!((month("Thg 11"), month(" 5月"), month("Décembre")), (Some(11), Some(5), Some(12)));
        let (latin_1, _) = read(b"d\xe9c. 15 10:00:00 mx").unwrap();
        assert_eq!(latin_1.month, 12);
    }

    #[test]
    fn a_name_of_two_months_is_both() {
        assert_eq!(read(b"lis 15 ").unwrap().0, NamedMonth { month: 10, other: Some(11) });
        assert_eq!(read(b"srp 15 ").unwrap().0, NamedMonth { month: 7, other: Some(8) });
    }

    #[test]
    fn other_words_are_no_months() {
        for word in ["mx", "Mon", "postfix/smtp[1]:", "13月", "0月", "", "Thg 13", "host"] {
            let text = format!("{word} 15 10:00:00 mx");
            assert_eq!(read(text.as_bytes()), None, "{word}");
        }
    }
}
