//! Signed return paths: what survives the mail servers in between, and what is refused.

use super::*;
use crate::return_path::day;

const TODAY: i64 = 20_679;

fn keys() -> Keys {
    Keys::new(&["the first secret, which signs"]).unwrap()
}

fn form() -> PathForm {
    PathForm::new("b+", "bounces.example.com").unwrap()
}

fn signed(recipient: &str) -> String {
    sign(&keys(), &form(), recipient, TODAY).unwrap()
}

fn checked(address: &str) -> Result<Verified, Refused> {
    verify(&keys(), &form(), address, TODAY, 14)
}

fn digest_of(address: &str) -> Option<String> {
    parts(address).map(|parts| digest(&parts))
}

fn recipient_of(address: &str) -> String {
    match checked(address).unwrap().recipient {
        SignedFor::Address(address) => address,
        SignedFor::Digest(digest) => panic!("{digest}"),
    }
}

#[test]
fn a_path_is_what_another_implementation_makes_of_it() {
    // Calculated with Python: hmac, hashlib, base64.b32encode.
    assert_eq!(signed("joe@example.org"), "b+fyf-reatroqprun2-joe=example.org@bounces.example.com");
    let long = "a-very-long-local-part-of-a-recipient@a-long-name.of-a-host.example.org";
    assert_eq!(signed(long), "b+fyf-gmpgl4llw2mb-7nl46niq5bto22rdozxewywk@bounces.example.com");
    assert_eq!(digest_of(long).as_deref(), Some("7nl46niq5bto22rdozxewywk"));
}

#[test]
fn it_comes_back_in_upper_case_lower_case_or_as_it_was() {
    let path = signed("Joe.User@Example.ORG");
    for came in [path.clone(), path.to_ascii_uppercase(), path.to_ascii_lowercase()] {
        let verified =
            Verified { recipient: SignedFor::Address("joe.user@example.org".into()), signed_day: TODAY };
        assert_eq!(checked(&came), Ok(verified));
    }
    assert_eq!(signed("joe.user@example.org"), path);
}

#[test]
fn every_kind_of_recipient_comes_back() {
    for (recipient, back) in [
        ("a@b", "a@b"),
        ("a+tag@example.org", "a+tag@example.org"),
        ("x=y@example.org", "x=y@example.org"),
        ("x=y=z+40@e.org", "x=y=z+40@e.org"),
        ("o'neil!%&/@e.org", "o'neil!%&/@e.org"),
        ("_-_@e-x.org", "_-_@e-x.org"),
        ("-@-", "-@-"),
        (r#""joe"@example.org"#, "joe@example.org"),
        (r#""joe doe"@example.org"#, r#""joe doe"@example.org"#),
        (r#""a@b"@example.org"#, r#""a@b"@example.org"#),
        (r#""a\"\\b"@example.org"#, r#""a\"\\b"@example.org"#),
        (r#""\a\b"@example.org"#, "ab@example.org"),
        (r#"".a..b."@example.org"#, r#"".a..b."@example.org"#),
        (r#""."@example.org"#, r#""."@example.org"#),
        (r#"" "@example.org"#, r#"" "@example.org"#),
        ("a..b.@example.org", r#""a..b."@example.org"#),
        ("joe@example.org.", "joe@example.org"),
        ("joe@[192.0.2.1]", "joe@[192.0.2.1]"),
        ("joe@[IPv6:2001:db8::1]", "joe@[ipv6:2001:db8::1]"),
        ("jörg@example.org", "jörg@example.org"),
        ("Jörg.Ü@Example.org", "jörg.Ü@example.org"),
        ("用户@例子.cn", "用户@例子.cn"),
    ] {
        let path = signed(recipient);
        let (local, domain) = path.split_once('@').unwrap();
        assert!(path.is_ascii() && domain == "bounces.example.com", "{path}");
        assert!(local.len() <= 64 && !local.contains("..") && !local.ends_with('.'), "{path}");
        assert!(local.bytes().all(|c| c.is_ascii_alphanumeric() || b".-_+=".contains(&c)), "{path}");
        assert_eq!(recipient_of(&path), back);
        assert_eq!(recipient_of(&path.to_ascii_uppercase()), back);
        assert!(checked(&path).unwrap().recipient.is(recipient), "{recipient}");
    }
}

#[test]
fn random_recipients_come_back() {
    let mut random = fastrand::Rng::with_seed(7);
    let letters: Vec<char> = "abz019.-_+=@ \"\\!%~/:[]ßÜ語🦀".chars().collect();
    for _ in 0..3000 {
        let mut some = |least: usize, most: usize| -> String {
            (0..random.usize(least..=most)).map(|_| letters[random.usize(0..letters.len())]).collect()
        };
        let (local, domain) = (some(1, 9), some(1, 5).replace(['@', '.'], "x"));
        let recipient = join(&(local, domain));
        let path = signed(&recipient);
        assert!(path.len() <= 64 + 1 + 19, "{path}");
        match checked(&path.to_ascii_uppercase()).unwrap().recipient {
            SignedFor::Address(back) => assert_eq!(back, recipient),
            digest => assert!(digest.is(&recipient)),
        }
    }
}

#[test]
fn what_fits_is_told_and_what_does_not_is_proved() {
    let fits = 64 - "b+fyf-abcdefghijkl-".len() - "=example.org".len();
    let recipient = format!("{}@example.org", "x".repeat(fits));
    let path = signed(&recipient);
    assert_eq!(path.find('@'), Some(64));
    assert_eq!(recipient_of(&path), recipient);

    let longer = format!("X{recipient}");
    let path = signed(&longer);
    let verified = checked(&path).unwrap();
    assert_eq!(path.find('@'), Some("b+fyf-abcdefghijkl-".len() + DIGEST));
    assert_eq!(verified.recipient.address(), None);
    assert_eq!(Some(verified.recipient.clone()), digest_of(&longer).map(SignedFor::Digest));
    assert!(verified.recipient.is(&longer) && verified.recipient.is(&longer.to_ascii_uppercase()));
    assert!(!verified.recipient.is(&recipient) && !verified.recipient.is("nonsense"));

    let longest = PathForm::new(&"p".repeat(23), "bounces.example.com").unwrap();
    let path = sign(&keys(), &longest, &longer, TODAY).unwrap();
    assert_eq!(path.find('@'), Some(64));
    assert!(verify(&keys(), &longest, &path, TODAY, 1).unwrap().recipient.is(&longer));
}

#[test]
fn whatever_is_changed_is_noticed() {
    let path = signed("joe+news@example.org");
    let mut found = 0;
    for at in 0..path.len() {
        for new in "a0+-=.@z".chars() {
            let mut changed = path.clone();
            changed.replace_range(at..=at, &new.to_string());
            if changed != path {
                assert!(matches!(checked(&changed), Err(Refused::Forged | Refused::NotOurs)), "{changed}");
                found += 1;
            }
        }
        assert!(checked(&path[at + 1..]).is_err() && checked(&path[..at]).is_err());
    }
    assert!(found > 300);
    let other = Keys::new(&["another secret that is ours"]).unwrap();
    assert_eq!(verify(&other, &form(), &path, TODAY, 14), Err(Refused::Forged));
    let elsewhere = PathForm::new("b+", "other.example.com").unwrap();
    assert_eq!(verify(&keys(), &elsewhere, &path, TODAY, 14), Err(Refused::NotOurs));
    let moved = path.replace("bounces.", "other.");
    assert_eq!(verify(&keys(), &elsewhere, &moved, TODAY, 14), Err(Refused::Forged));
}

#[test]
fn what_is_not_ours_is_refused_without_a_panic() {
    for address in [
        "",
        "@",
        "joe@example.org",
        "b+@bounces.example.com",
        "b+---@bounces.example.com",
        "b+fyf-aaaaaaaaaaaa-@bounces.example.com",
        "b+fyf-aaaaaaaaaaaaa-a=b@bounces.example.com",
        "b+f f-aaaaaaaaaaaa-a=b@bounces.example.com",
        "b+ffyf-aaaaaaaaaaaa-a=b@bounces.example.com",
        "b+é-aaaaaaaaaaaa-a=b@bounces.example.com",
        "bounces.example.com",
        "xbounces.example.com",
    ] {
        assert_eq!(checked(address), Err(Refused::NotOurs), "{address}");
    }
    assert_eq!(checked("b+fyf-aaaaaaaaaaaa-a=b@bounces.example.com"), Err(Refused::Forged));
}

#[test]
fn age_is_counted_in_days_also_where_the_digits_come_round() {
    for today in [0, 1, 35, 36, TODAY, ROUND - 1, ROUND, ROUND + 5, 3 * ROUND + 7] {
        for age in [-1, 0, 1, 14] {
            let path = sign(&keys(), &form(), "joe@example.org", today - age).unwrap();
            let verified = verify(&keys(), &form(), &path, today, 14).unwrap();
            assert_eq!(verified.signed_day, today - age);
        }
        for (age, refused) in [
            (15, Refused::TooOld { days: 15 }),
            (9000, Refused::TooOld { days: 9000 }),
            (-2, Refused::Ahead { days: 2 }),
            (-300, Refused::Ahead { days: 300 }),
        ] {
            let path = sign(&keys(), &form(), "joe@example.org", today - age).unwrap();
            assert_eq!(verify(&keys(), &form(), &path, today, 14), Err(refused));
        }
    }
    let path = signed("joe@example.org");
    assert!(verify(&keys(), &form(), &path, TODAY + 23_328, u32::MAX).is_ok());
    assert!(verify(&keys(), &form(), &path, TODAY + 23_329, u32::MAX).is_err());
    assert_eq!((day(0), day(86_399_999), day(86_400_000), day(-1)), (0, 0, 1, -1));
    assert_eq!(Refused::TooOld { days: 15 }.to_string(), "signed 15 days ago, which is too long");
}

#[test]
fn both_keys_verify_while_one_replaces_the_other() {
    let (old, new) = ("the first secret, which signs", "the second secret, to come");
    let rotating = Keys::new(&[new, old]).unwrap();
    let path = signed("joe@example.org");
    assert!(verify(&rotating, &form(), &path, TODAY, 14).is_ok());
    let fresh = sign(&rotating, &form(), "joe@example.org", TODAY).unwrap();
    assert_ne!(fresh, path);
    assert!(verify(&Keys::new(&[new]).unwrap(), &form(), &fresh, TODAY, 14).is_ok());
    assert_eq!(checked(&fresh), Err(Refused::Forged));
}

#[test]
fn what_is_no_address_is_not_signed() {
    for recipient in ["", "joe", "@example.org", "joe@", "joe@.", "\"\"@example.org", "a\r\nb@example.org"] {
        let error = sign(&keys(), &form(), recipient, TODAY).unwrap_err();
        assert!(error.text().contains("is not an address"), "{recipient}");
        assert_eq!(digest_of(recipient), None);
    }
}

#[test]
fn a_form_that_cannot_work_is_an_error() {
    for prefix in ["", "b+", "B-", "bounce.", "a=b_"] {
        let form = PathForm::new(prefix, "Bounces.Example.com").unwrap();
        let path = sign(&keys(), &form, "joe@example.org", TODAY).unwrap();
        assert!(verify(&keys(), &form, &path, TODAY, 1).is_ok(), "{path}");
    }
    for prefix in [".b", "b..", "b b", "ü", "b@", &"b".repeat(24)] {
        assert!(
            PathForm::new(prefix, "example.com").unwrap_err().text().contains("cannot begin"),
            "{prefix}"
        );
    }
    for domain in ["", ".", "a..b", "exämple.com", "a b", "[192.0.2.1]", &"a".repeat(190)] {
        assert!(PathForm::new("b+", domain).unwrap_err().text().contains("not a domain"), "{domain}");
    }
}
