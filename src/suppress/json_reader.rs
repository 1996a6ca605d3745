//! Lists in JSON: every object that has an address, at whatever depth, and arrays of addresses.
//!
//! Not here: which names an address has (`column_names`). Invariant: a document is never in memory
//! as a whole, however large it is.

use super::column_names::{ADDRESS, LISTS, normal};
use super::input_text::unreadable;
use super::record::{Place, Record, RecordSink};
use crate::error::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// Records that wait at most.
const HELD: usize = 1000;

/// Reads one line of JSON Lines.
pub(crate) fn read_line(line: &str, place: Place, sink: &mut RecordSink<'_>) -> Result<()> {
    let mut walk = Walk {
        sink,
        at: Rc::new(Cell::new(place.line)),
        items: None,
        found: 0,
        held: Vec::new(),
        stopped: None,
    };
    let mut json = serde_json::Deserializer::from_str(line);
    let read = Node::top(&mut walk).deserialize(&mut json).and_then(|top| json.end().map(|()| top));
    let (found, stopped) = (walk.found, walk.stopped.take());
    match (stopped, read) {
        (Some(stopped), _) => Err(stopped),
        (None, Err(error)) => sink(place, Err(format!("invalid JSON: {}", described(&error)))),
        // Its words may say that nothing has failed.
        (None, Ok(Value::Values(record))) if found == 0 => sink(place, Ok(record)),
        (None, Ok(_)) if found == 0 => sink(place, Err("no address in this object".into())),
        (None, Ok(_)) => Ok(()),
    }
}

/// Reads a document, or several one after the other.
pub(crate) fn read_document(input: Box<dyn BufRead + '_>, sink: &mut RecordSink<'_>) -> Result<()> {
    let at = Rc::new(Cell::new(1));
    let lines = CountedLines { input, at: at.clone() };
    let mut walk = Walk { sink, at: at.clone(), items: Some(0), found: 0, held: Vec::new(), stopped: None };
    let mut json = serde_json::Deserializer::from_reader(lines);
    let read = loop {
        match Node::top(&mut walk).deserialize(&mut json) {
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        if json.end().is_ok() {
            break Ok(());
        }
    };
    if let Some(stopped) = walk.stopped.take() {
        return Err(stopped);
    }
    match read {
        Err(error) if error.is_io() => Err(unreadable(error.into())),
        Err(error) => {
            let (place, why) = (Place { line: at.get(), item: None }, described(&error));
            sink(place, Err(format!("invalid JSON: {why}; nothing after it was read")))
        }
        Ok(()) => Ok(()),
    }
}

/// Without the place, which is given in another way.
fn described(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

struct CountedLines<R> {
    input: R,
    at: Rc<Cell<u64>>,
}

impl<R: Read> Read for CountedLines<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // One byte, so that the line is that of the value which is read.
        let many = self.input.read(into.get_mut(..1).unwrap_or_default())?;
        if many == 1 && into[0] == b'\n' {
            self.at.set(self.at.get() + 1);
        }
        Ok(many)
    }
}

struct Walk<'w, 's> {
    sink: &'w mut RecordSink<'s>,
    /// The line that is being read.
    at: Rc<Cell<u64>>,
    /// Items of a document so far.
    items: Option<u64>,
    /// Records that were given.
    found: u64,
    /// Records that wait for the end of the objects around them, which may say what became of them.
    held: Vec<Held>,
    /// The sink's error.
    stopped: Option<Error>,
}

struct Held {
    line: u64,
    /// How many arrays it is in.
    arrays: usize,
    record: Record,
}

impl Walk<'_, '_> {
    /// Gives the records that were held since there were `many`.
    fn give<E: serde::de::Error>(&mut self, many: usize, around: Option<&Around<'_>>) -> Result<(), E> {
        let held: Vec<Held> = self.held.drain(many..).collect();
        for Held { line, mut record, .. } in held {
            let mut next = around;
            while let Some(Around { record: above, outer }) = next {
                record.extend(above);
                next = *outer;
            }
            self.found += 1;
            self.items = self.items.map(|items| items + 1);
            (self.sink)(Place { line, item: self.items }, Ok(record)).map_err(|error| {
                self.stopped = Some(error);
                E::custom("stopped")
            })?;
        }
        Ok(())
    }
}

/// A value in the document.
struct Node<'n, 'w, 's> {
    walk: &'n mut Walk<'w, 's>,
    /// The name that it has in its object, or its array in its object.
    name: &'n str,
    /// How many objects and how many arrays it is in.
    depth: usize,
    arrays: usize,
    /// The objects around it, as far as they are read.
    around: Option<&'n Around<'n>>,
}

/// An object around a value, and the objects around that.
struct Around<'n> {
    record: &'n Record,
    outer: Option<&'n Around<'n>>,
}

/// What a value was.
enum Value {
    /// A text, number or truth value.
    Scalar(String),
    /// The values of an object that has no address.
    Values(Record),
    /// An array, nothing, or what is held.
    Other,
}

impl<'n, 'w, 's> Node<'n, 'w, 's> {
    fn top(walk: &'n mut Walk<'w, 's>) -> Node<'n, 'w, 's> {
        Node { walk, name: "", depth: 0, arrays: 0, around: None }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// Amazon SNS has the notification as a text of JSON.
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        if self.name == "message" && text.starts_with('{') {
            let mut json = serde_json::Deserializer::from_str(text);
            return self.deserialize(&mut json).map_err(E::custom);
        }
        Ok(Value::Scalar(text.to_owned()))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Scalar(truth.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Scalar(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Scalar(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Scalar(format!("{number}")))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Node { walk, name, depth, arrays, around } = self;
        let is_list = depth <= 1 && LISTS.contains(&name);
        let before = walk.held.len();
        loop {
            let line = walk.at.get();
            match items.next_element_seed(Node {
                walk: &mut *walk,
                name,
                depth,
                arrays: arrays + 1,
                around,
            })? {
                None => break,
                Some(Value::Scalar(text)) if is_list => {
                    let record = Record::of_address(&text);
                    walk.held.push(Held { line, arrays: arrays + 1, record });
                }
                Some(_) => {}
            }
            if depth == 0 || walk.held.len() - before >= HELD {
                walk.give(before, around)?;
            }
        }
        Ok(Value::Other)
    }

    /// An object with an address is an entry, unless it has a list of entries in it: then it says
    /// whose list that is.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Node { walk, depth, arrays, around, .. } = self;
        let (line, before, given) = (walk.at.get(), walk.held.len(), walk.found);
        let (mut record, mut below) = (Record::default(), Record::default());
        while let Some(name) = map.next_key::<String>()? {
            let name = normal(&name);
            let here = Around { record: &record, outer: around };
            let node = Node { walk: &mut *walk, name: &name, depth: depth + 1, arrays, around: Some(&here) };
            match map.next_value_seed(node)? {
                Value::Scalar(text) => record.put(&name, &text),
                Value::Values(values) => below.extend(&values),
                // Mailgun's unsubscribes are known by their array of tags.
                Value::Other if !ADDRESS.contains(&name.as_str()) => record.put(&name, ""),
                Value::Other => {}
            }
        }
        record.extend(&below);
        let is_entry = record.has(ADDRESS);
        let inside = walk.held.split_off(before.min(walk.held.len()));
        let has_list = walk.found > given || inside.iter().any(|held| held.arrays > arrays);
        for mut held in inside {
            if (has_list && held.arrays > arrays) || !(has_list || is_entry) {
                held.record.extend(&record);
                walk.held.push(held);
            }
        }
        if is_entry && !has_list {
            walk.held.push(Held { line, arrays, record });
        } else if !is_entry && walk.held.len() == before {
            return Ok(Value::Values(record));
        }
        if depth == 0 {
            walk.give(before, None)?;
        }
        Ok(Value::Other)
    }
}
