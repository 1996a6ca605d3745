//! What authentication says of a message: the result words of RFC 8601 section 2.7.
//!
//! Not a decision: what a result means for the message is the policy's affair. Invariant: `TempError` says that
//! nothing is known yet, and only a failing or silent DNS leads to it.

use serde::{Deserialize, Serialize};

/// The result of one authentication method (RFC 8601 section 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AuthResult {
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

impl AuthResult {
    /// The result as it is written in logs and in JSON: `pass`, `soft-fail`, `temp-error` …
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            AuthResult::Pass => "pass",
            AuthResult::Fail => "fail",
            AuthResult::SoftFail => "soft-fail",
            AuthResult::Neutral => "neutral",
            AuthResult::None => "none",
            AuthResult::TempError => "temp-error",
            AuthResult::PermError => "perm-error",
        }
    }
}

/// One DKIM signature (RFC 6376) and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature {
    /// The signing domain (`d=`), lower case; empty when the signature is too broken to name one.
    pub(crate) domain: String,
    /// What verification said.
    pub(crate) result: AuthResult,
}

/// The result of all signatures together: one that passed is enough, and one that may yet pass keeps the answer open.
pub(crate) fn of_all(signatures: &[Signature]) -> AuthResult {
    const BEST_FIRST: [AuthResult; 6] = [
        AuthResult::Pass,
        AuthResult::TempError,
        AuthResult::Fail,
        AuthResult::SoftFail,
        AuthResult::PermError,
        AuthResult::Neutral,
    ];
    let said = |result: &AuthResult| signatures.iter().any(|signature| signature.result == *result);
    BEST_FIRST.into_iter().find(said).unwrap_or(AuthResult::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(results: &[AuthResult]) -> AuthResult {
        let signature = |result: &AuthResult| Signature { domain: "example.com".into(), result: *result };
        of_all(&results.iter().map(signature).collect::<Vec<_>>())
    }

    #[test]
    fn one_pass_is_enough_and_one_temporary_error_keeps_it_open() {
        assert_eq!(together(&[AuthResult::Fail, AuthResult::TempError, AuthResult::Pass]), AuthResult::Pass);
        assert_eq!(together(&[AuthResult::Fail, AuthResult::TempError]), AuthResult::TempError);
        assert_eq!(together(&[AuthResult::Neutral, AuthResult::PermError]), AuthResult::PermError);
        assert_eq!(together(&[]), AuthResult::None);
    }

    #[test]
    fn serde_and_as_str_agree() {
        for result in [AuthResult::SoftFail, AuthResult::TempError, AuthResult::PermError, AuthResult::None] {
            let json = serde_json::to_string(&result).unwrap();
            assert_eq!(json, format!("\"{}\"", result.as_str()));
        }
    }
}
