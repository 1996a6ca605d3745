//! What a part of the torture came to, and the table of all.

use std::time::{Duration, Instant};

/// Notes that are shown of a row, the last ones first.
const NOTES: usize = 6;

/// A row of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) name: String,
    pub(crate) tries: usize,
    pub(crate) kills: usize,
    pub(crate) lost: usize,
    /// Effects that came twice.
    pub(crate) doubled: usize,
    /// Those of them between the peer's yes and the next durable write, with the id of the first.
    pub(crate) in_window: usize,
    pub(crate) hung: usize,
    pub(crate) over_budget: usize,
    pub(crate) notes: Vec<String>,
}

impl Tally {
    pub(crate) fn new(name: &str) -> Tally {
        eprintln!("… {name}");
        Tally { name: name.to_owned(), ..Tally::default() }
    }

    pub(crate) fn broken(&self) -> bool {
        self.lost + (self.doubled - self.in_window) + self.hung + self.over_budget > 0
    }

    /// A process ended in this way, after this time.
    pub(crate) fn took(&mut self, time: Duration, limit: Duration) {
        self.hung += usize::from(time > limit);
    }
}

pub(crate) fn show(rows: &[Tally], seed: u64, began: Instant) {
    println!(
        "\n{:<34}{:>7}{:>7}{:>6}{:>9}{:>11}{:>6}{:>13}",
        "", "tries", "kills", "lost", "doubled", "in window", "hung", "over budget"
    );
    for row in rows {
        println!(
            "{:<34}{:>7}{:>7}{:>6}{:>9}{:>11}{:>6}{:>13}{}",
            row.name,
            row.tries,
            row.kills,
            row.lost,
            row.doubled,
            row.in_window,
            row.hung,
            row.over_budget,
            if row.broken() { "  BROKEN" } else { "" }
        );
        row.notes.iter().rev().take(NOTES).for_each(|note| println!("    {note}"));
        if row.notes.len() > NOTES {
            println!("    … and {} more", row.notes.len() - NOTES);
        }
    }
    let broken = rows.iter().filter(|row| row.broken()).count();
    let verdict = match broken {
        0 => "every guarantee held".to_owned(),
        _ => format!("{broken} rows broke a guarantee (docs/guarantees.md); repeat with SEED={seed}"),
    };
    println!(
        "\n{verdict}, in {} s. In window: between the peer's yes and the next durable write, with the same",
        began.elapsed().as_secs()
    );
    println!("id as the first, so that the receiver can tell; SMTP offers nothing better.");
}
