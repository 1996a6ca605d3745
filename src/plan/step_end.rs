//! How a step ended, in the words that the journal, the message log, `carom log` and `carom find`
//! have in common.
//!
//! Not here: why (the note of the step). Invariant: what an older release wrote is read in the
//! words of today.

use serde::Serialize;

/// What older releases wrote before the note of a failure, to tell it from an end as meant.
const OLD_MARK: char = '!';

/// How a step ended: the same value from the action to the journal, the message log and the
/// counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepEnd {
    Succeeded,
    /// It ended without an effect, as meant. Later steps treat it as failed.
    Noted,
    /// It failed, and nothing more is tried. Later steps treat it as failed.
    GivenUp,
    /// It cannot be done until an operator has looked at it. Later steps treat it as failed.
    Parked,
    /// Try again, not before this time in milliseconds since 1970.
    Later {
        at_ms: i64,
    },
    /// It was not tried, because the config holds it back: look again at this time.
    Held {
        at_ms: i64,
    },
}

impl StepEnd {
    /// Whether the step goes on.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, StepEnd::Later { .. } | StepEnd::Held { .. })
    }

    /// The end with this word; a step that goes on is tried at `due_ms`. `None`: it never ran.
    pub(crate) fn of_word(word: &str, due_ms: i64) -> Option<StepEnd> {
        let ends = [StepEnd::Succeeded, StepEnd::Noted, StepEnd::GivenUp, StepEnd::Parked];
        let all = ends.into_iter().chain([StepEnd::Later { at_ms: due_ms }]);
        all.into_iter().find(|end| end.word() == word)
    }

    /// The word in the journal and in the message log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            StepEnd::Succeeded => "succeeded",
            StepEnd::Noted => "noted",
            StepEnd::GivenUp => "given up",
            StepEnd::Parked => "parked",
            StepEnd::Later { .. } | StepEnd::Held { .. } => "pending",
        }
    }
}

impl Serialize for StepEnd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// The state of a step and its note, as any release has written them. `skipped`: it never ran,
/// because it waited for another end.
pub(crate) fn state_as_written<'a>(state: &str, note: &'a str) -> (&'static str, &'a str) {
    let plain = note.trim_start_matches(OLD_MARK);
    let state = match state {
        "succeeded" => StepEnd::Succeeded.word(),
        "skipped" => "skipped",
        "pending" | "later" => "pending",
        "parked" => StepEnd::Parked.word(),
        "noted" => StepEnd::Noted.word(),
        "failed" if plain == note => StepEnd::Noted.word(),
        _ => StepEnd::GivenUp.word(),
    };
    // Older releases wrote the state before the note too.
    (state, plain.strip_prefix("parked: ").unwrap_or(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_releases_wrote_is_read_in_the_words_of_today() {
        for (state, note, now) in [
            ("succeeded", "sent", ("succeeded", "sent")),
            ("later", "!refused", ("pending", "refused")),
            ("pending", "!refused", ("pending", "refused")),
            ("parked", "!refused", ("parked", "refused")),
            ("parked", "parked: refused", ("parked", "refused")),
            ("failed", "!refused", ("given up", "refused")),
            ("failed", "1 of 5", ("noted", "1 of 5")),
            ("noted", "1 of 5", ("noted", "1 of 5")),
            ("given up", "refused", ("given up", "refused")),
        ] {
            assert_eq!(state_as_written(state, note), now, "{state}");
        }
    }
}
