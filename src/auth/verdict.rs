//! What authentication says of a message: the result words of RFC 8601 section 2.7.
//!
//! Not a decision: what a verdict means for the message is the policy's affair. Invariant: `TempError` says that
//! nothing is known yet, and only a failing or silent DNS leads to it.

use serde::{Deserialize, Serialize};

/// The result of one authentication method (RFC 8601 section 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// Verified.
    Pass,
    /// Verified to be wrong.
    Fail,
    /// Probably wrong (SPF `~all`).
    SoftFail,
    /// Nothing can be said.
    Neutral,
    /// There is nothing to verify.
    None,
    /// Not known now; a later try may know.
    TempError,
    /// What was published or signed cannot be understood, now or later.
    PermError,
}

impl Verdict {
    /// The verdict as it is written in logs and in JSON: `pass`, `soft-fail`, `temp-error` …
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::SoftFail => "soft-fail",
            Verdict::Neutral => "neutral",
            Verdict::None => "none",
            Verdict::TempError => "temp-error",
            Verdict::PermError => "perm-error",
        }
    }
}

/// One DKIM signature (RFC 6376) and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature {
    /// The signing domain (`d=`), lower case; empty when the signature is too broken to name one.
    pub(crate) domain: String,
    /// What verification said.
    pub(crate) verdict: Verdict,
}

/// The verdict of all signatures together: one that passed is enough, and one that may yet pass keeps the answer open.
pub(crate) fn of_all(signatures: &[Signature]) -> Verdict {
    const BEST_FIRST: [Verdict; 6] = [
        Verdict::Pass,
        Verdict::TempError,
        Verdict::Fail,
        Verdict::SoftFail,
        Verdict::PermError,
        Verdict::Neutral,
    ];
    let said = |verdict: &Verdict| signatures.iter().any(|signature| signature.verdict == *verdict);
    BEST_FIRST.into_iter().find(said).unwrap_or(Verdict::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(verdicts: &[Verdict]) -> Verdict {
        let signature = |verdict: &Verdict| Signature { domain: "example.com".into(), verdict: *verdict };
        of_all(&verdicts.iter().map(signature).collect::<Vec<_>>())
    }

    #[test]
    fn one_pass_is_enough_and_one_temporary_error_keeps_it_open() {
        assert_eq!(together(&[Verdict::Fail, Verdict::TempError, Verdict::Pass]), Verdict::Pass);
        assert_eq!(together(&[Verdict::Fail, Verdict::TempError]), Verdict::TempError);
        assert_eq!(together(&[Verdict::Neutral, Verdict::PermError]), Verdict::PermError);
        assert_eq!(together(&[]), Verdict::None);
    }

    #[test]
    fn serde_and_as_str_agree() {
        for verdict in [Verdict::SoftFail, Verdict::TempError, Verdict::PermError, Verdict::None] {
            let json = serde_json::to_string(&verdict).unwrap();
            assert_eq!(json, format!("\"{}\"", verdict.as_str()));
        }
    }
}
