//! A code that a rule asks for, as it is written: `5.1.1`, `x.7.*`, `550`, `5xx`, `5xx alone`,
//! `550 vague`.
//!
//! Not here: whether a failure has it (`conditions`).

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Class, subject, detail. [`ANY`] is any.
    Status(u16, u16, u16),
    /// Reply codes from and to.
    Reply(u16, u16),
    /// Reply codes from and to, without a status.
    Alone(u16, u16),
    /// Reply codes from and to, with no status that says more.
    Vague(u16, u16),
}

/// `x` or `*` in a code.
pub const ANY: u16 = u16::MAX;

impl Code {
    pub fn read(text: &str) -> Option<Code> {
        if let Some(Code::Reply(least, most)) = text.strip_suffix(" alone").and_then(Code::read) {
            return Some(Code::Alone(least, most));
        }
        if let Some(Code::Reply(least, most)) = text.strip_suffix(" vague").and_then(Code::read) {
            return Some(Code::Vague(least, most));
        }
        let whole = |part: &str| match part {
            "x" | "*" => Some(ANY),
            digits if digits.len() < 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()
            }
            _ => None,
        };
        let parts: Vec<&str> = text.split('.').collect();
        match parts[..] {
            [class, subject, detail] => Some(Code::Status(whole(class)?, whole(subject)?, whole(detail)?)),
            [reply] if reply.len() == 3 && reply.is_ascii() => {
                let least = reply.replace('x', "0").parse().ok()?;
                Some(Code::Reply(least, reply.replace('x', "9").parse().ok()?))
            }
            _ => None,
        }
    }
}
