//! Results of authentication methods, named as in RFC 8601 section 2.7.
//!
//! Not a decision: what a result means for the message is up to the policy. Invariant: `TempError`
//! means that nothing is known yet; only a failing or silent DNS leads to it.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AuthResult {
    Pass,
    Fail,
    /// Probably wrong (SPF `~all`).
    SoftFail,
    Neutral,
    /// There is nothing to verify.
    #[default]
    None,
    /// Not known now; a later try may know.
    TempError,
    /// What was published or signed cannot be parsed, now or later.
    PermError,
}

/// A DKIM signature (RFC 6376) and its result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    /// The signing domain (`d=`), lower case; empty if the signature is too broken to name one.
    pub(crate) domain: String,
    pub(crate) result: AuthResult,
    /// The header fields that it covers (`h=`), lower case; empty if another server verified it.
    pub(crate) covered: Vec<String>,
    /// What whoever vouches for it has seen.
    pub(super) seen: SeenFields,
}

/// The header fields that are as they were when somebody vouched for them, and when that was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SeenFields {
    /// Lower case.
    pub(super) names: Vec<String>,
    /// The time of the signature (`t=`), in seconds since 1970.
    pub(super) at_s: Option<u64>,
}

/// The result of all signatures together: one that passed is enough; one that may still pass keeps
/// it open.
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
        let signature = |result: &AuthResult| Signature {
            domain: "example.com".into(),
            result: *result,
            ..Signature::default()
        };
        of_all(&results.iter().map(signature).collect::<Vec<_>>())
    }

    #[test]
    fn one_pass_is_enough_and_one_temporary_error_keeps_it_open() {
        assert_eq!(together(&[AuthResult::Fail, AuthResult::TempError, AuthResult::Pass]), AuthResult::Pass);
        assert_eq!(together(&[AuthResult::Fail, AuthResult::TempError]), AuthResult::TempError);
        assert_eq!(together(&[AuthResult::Neutral, AuthResult::PermError]), AuthResult::PermError);
        assert_eq!(together(&[]), AuthResult::None);
    }
}
