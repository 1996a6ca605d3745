//! The WIT package as text, for who writes policies: the very files that this carom was built from.

/// The files of the package, the one with the world first: name and text.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("world.wit", include_str!("../../wit/world.wit")),
    ("facts.wit", include_str!("../../wit/facts.wit")),
    ("reports.wit", include_str!("../../wit/reports.wit")),
    ("actions.wit", include_str!("../../wit/actions.wit")),
    ("host.wit", include_str!("../../wit/host.wit")),
    ("session.wit", include_str!("../../wit/session.wit")),
    ("decision.wit", include_str!("../../wit/decision.wit")),
    ("sequence.wit", include_str!("../../wit/sequence.wit")),
    ("mapping.wit", include_str!("../../wit/mapping.wit")),
    ("classification.wit", include_str!("../../wit/classification.wit")),
    ("diagnosis.wit", include_str!("../../wit/diagnosis.wit")),
    ("reception.wit", include_str!("../../wit/reception.wit")),
    ("settings.wit", include_str!("../../wit/settings.wit")),
    ("preparation.wit", include_str!("../../wit/preparation.wit")),
];

/// The whole package as one text, which is a valid WIT file.
pub(crate) fn whole() -> String {
    FILES.iter().map(|(_, text)| text.trim_end()).collect::<Vec<_>>().join("\n\n") + "\n"
}
