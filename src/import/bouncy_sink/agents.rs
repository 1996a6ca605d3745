//! The column `Software` of bouncy-sink's User-Agents file.
//!
//! Invariant: line ends of any kind (the shipped file has bare CR) and quoted fields are read as a spreadsheet means
//! them; a file without that column gives nothing.

/// The agents in the order of the file, without blank ones.
pub(crate) fn read(csv: &str) -> Vec<String> {
    let mut rows = rows(csv.trim_start_matches('\u{feff}')).into_iter();
    let column = rows.next().and_then(|head| head.iter().position(|name| name.trim() == "Software"));
    let Some(column) = column else { return Vec::new() };
    let agents = rows.filter_map(|row| row.get(column).map(|agent| agent.trim().to_owned()));
    agents.filter(|agent| !agent.is_empty() && !agent.contains(char::is_control)).collect()
}

/// The fields of each row (RFC 4180, and CR or LF alone as the end of a row).
fn rows(csv: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = csv.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                field.push('"');
                characters.next();
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' | '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    row.push(field);
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_cr_and_quotes() {
        let csv = "Rank,Software,Share\r1,\"Mozilla/5.0 (X11; Linux, \"\"odd\"\") A\",5%\r2,Plain/1.0,4%\r\n\r\n3,,1%\r4\r5,Last/2";
        assert_eq!(read(csv), ["Mozilla/5.0 (X11; Linux, \"odd\") A", "Plain/1.0", "Last/2"]);
    }

    #[test]
    fn another_table_has_no_agents() {
        assert!(read("a,b\r\n1,2").is_empty() && read("").is_empty() && read("Software").is_empty());
        assert!(read("Software\n\"open\nfor ever").is_empty());
    }
}
