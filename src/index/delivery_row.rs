//! The row of a delivery: its number, and writing it.
//!
//! Not here: reading it (`stored_delivery`). Invariant: two deliveries never share a row, and a
//! delivery keeps its row.

use crate::maillog::Delivery;
use crate::maillog::delivery_texts::{MANY, NAMES, in_order};
use rusqlite::types::Value;
use rusqlite::{Connection, Statement, ToSql};

/// Rows that are tried, from the one that a delivery should have.
const PROBES: i64 = 1 << 16;

/// Texts of a delivery, as they are written and read.
pub(crate) const TEXTS: [&str; 1 + MANY] = {
    let (mut all, mut at) = (["status"; 1 + MANY], 0);
    while at < MANY {
        all[at + 1] = NAMES[at];
        at += 1;
    }
    all
};
/// Texts that are only written, or not read as they are.
const OTHER_TEXTS: [&str; 2] = ["delays", "logged_category"];
/// The number of the row comes first.
const NUMBERS: [&str; 10] =
    ["id", "mark", "attempts", "first_seen", "last_seen", "meaning", "route", "delay", "size", "nrcpt"];
/// Parameters of the statement: a column each.
const COLUMNS: usize = NUMBERS.len() + TEXTS.len() + OTHER_TEXTS.len();

/// The statement that puts a delivery into a row. It changes nothing if another delivery has it.
fn put_statement() -> String {
    let columns = [&NUMBERS[..], &TEXTS, &OTHER_TEXTS].concat();
    let changed = columns[2..].iter().map(|column| match *column {
        "notification" => "notification = coalesce(excluded.notification, notification)".to_owned(),
        _ => format!("{column} = excluded.{column}"),
    });
    let changed: Vec<String> = changed.collect();
    format!(
        "INSERT INTO deliveries ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}
        WHERE mark = excluded.mark AND queue_id IS excluded.queue_id AND host IS excluded.host
        AND (queue_id IS NOT NULL OR recipient IS excluded.recipient)",
        columns.join(", "),
        vec!["?"; COLUMNS].join(", "),
        changed.join(", ")
    )
}

/// The statement that writes a row. It keeps its parameters, so what is the same in the next row
/// (the host, the message of several recipients, all that is absent) costs nothing.
pub(crate) struct DeliveryRow<'i> {
    statement: Statement<'i>,
    /// Absent parameters, a bit for each.
    absent: u32,
    /// The last text of each parameter.
    texts: [String; COLUMNS + 1],
}

impl<'i> DeliveryRow<'i> {
    pub(crate) fn new(db: &'i Connection) -> rusqlite::Result<DeliveryRow<'i>> {
        let statement = db.prepare(&put_statement())?;
        Ok(DeliveryRow { statement, absent: u32::MAX, texts: Default::default() })
    }

    /// Puts a delivery into its row, or the next free one.
    pub(crate) fn put(
        &mut self,
        d: &Delivery<'_>,
        meaning: Option<i64>,
        route: Option<i64>,
    ) -> rusqlite::Result<i64> {
        let number = |number: i64| Some(Value::Integer(number));
        let numbers: [Option<Value>; NUMBERS.len() - 1] = [
            number((d.id >> 32) as i64),
            number(d.attempts.into()),
            number(d.first_seen),
            number(d.last_seen),
            meaning.map(Value::Integer),
            route.map(Value::Integer),
            d.delay.map(Value::Real),
            d.size.and_then(|size| i64::try_from(size).ok()).map(Value::Integer),
            d.nrcpt.map(|nrcpt| Value::Integer(nrcpt.into())),
        ];
        let texts = [Some(d.status.name())].into_iter().chain(in_order(d)).chain([d.delays, d.category]);
        for (at, number) in (2..).zip(numbers) {
            self.bind(at, number)?;
        }
        for (at, text) in (NUMBERS.len() + 1..).zip(texts) {
            self.bind_text(at, text)?;
        }
        let first = row_id(d);
        for row in first..first + PROBES {
            self.bind(1, Some(row))?;
            if self.statement.raw_execute()? > 0 {
                return Ok(row);
            }
        }
        Err(rusqlite::Error::StatementChangedRows(0))
    }

    fn bind(&mut self, parameter: usize, value: Option<impl ToSql>) -> rusqlite::Result<()> {
        let (bit, was) = (1 << parameter, self.absent);
        self.absent = if value.is_none() { was | bit } else { was & !bit };
        if was & self.absent & bit != 0 {
            Ok(())
        } else {
            self.statement.raw_bind_parameter(parameter, value)
        }
    }

    fn bind_text(&mut self, parameter: usize, text: Option<&str>) -> rusqlite::Result<()> {
        if let Some(text) = text {
            let last = &mut self.texts[parameter];
            if last == text && self.absent & (1 << parameter) == 0 {
                return Ok(());
            }
            last.clear();
            last.push_str(text);
        }
        self.bind(parameter, text)
    }
}

/// Rows are in order of time, so inserts append and old rows are neighbours.
pub(crate) fn row_id(delivery: &Delivery<'_>) -> i64 {
    row_of(delivery.id, delivery.first_seen)
}

/// The row of the delivery with this id that was first seen at this time.
pub(crate) fn row_of(id: u64, first_seen: i64) -> i64 {
    first_row(first_seen) | (id & 0xffff_ffff) as i64
}

/// The low half of the id that the log gives a delivery, by its row.
pub(crate) fn hash_of_row(row: i64) -> u32 {
    (row & 0xffff_ffff) as u32
}

/// The first row of a second.
pub(crate) fn first_row(at_ms: i64) -> i64 {
    at_ms.div_euclid(1000).clamp(0, 0x7fff_ffff) << 32
}
