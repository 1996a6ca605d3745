//! Sentences about somebody or something that is not the recipient, and the frames in which mail
//! systems say them.
//!
//! Not here: what must be true of them (`bystanders`). The words are in `words.toml`.

use serde_json::{Map, Value};

/// A draw of frames: the same at every run.
pub struct Draw(u64);

impl Draw {
    pub fn new() -> Draw {
        Draw(20_261_129)
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn one<'a>(&mut self, list: &'a [String]) -> &'a str {
        &list[self.below(list.len())]
    }
}

/// A sentence in a frame, with what a report says besides.
pub struct Framed {
    pub text: String,
    pub status: String,
    pub stage: String,
}

pub struct Others(Map<String, Value>);

impl Others {
    pub fn read() -> Others {
        let table: toml::Table = include_str!("words.toml").parse().unwrap();
        match serde_json::to_value(table).unwrap() {
            Value::Object(table) => Others(table),
            _ => unreachable!("a TOML file is a table"),
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        list(&self.0[name])
    }

    /// Every sentence about a compound noun, about somebody else, and in other languages.
    pub fn sentences(&self) -> Vec<String> {
        let (predicates, before) = (self.list("predicates"), self.list("before"));
        let named = |first: &str, second: &str| {
            let (first, second) = (self.list(first), self.list(second));
            let pairs = first.iter().flat_map(|one| second.iter().map(move |other| format!("{one} {other}")));
            pairs.collect::<Vec<_>>()
        };
        let mut nouns = named("serving", "served");
        nouns.extend(named("subjects", "belongings"));
        nouns.extend(self.list("others"));
        let mut sentences = Vec::new();
        for noun in &nouns {
            sentences.extend(predicates.iter().map(|predicate| format!("{noun} {predicate}")));
            sentences.extend(before.iter().map(|before| format!("{before} {}", bare(noun))));
        }
        sentences.extend(self.list("others").iter().map(|other| format!("{}: no such user", bare(other))));
        sentences.extend(self.abroad());
        sentences.extend(self.list("whole"));
        sentences
    }

    /// Replies about the recipient `kim@dest.example`.
    pub fn recipients(&self) -> Vec<String> {
        self.list("recipients")
    }

    fn abroad(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for language in self.0["abroad"].as_array().unwrap() {
            let gap = language.get("gap").map_or(" ", |gap| gap.as_str().unwrap());
            for other in list(&language["others"]) {
                let said = |predicate: &String| format!("{other}{gap}{predicate}");
                sentences.extend(list(&language["predicates"]).iter().map(said));
            }
        }
        sentences
    }

    /// `count` of the sentences in frames, those that are few as often as those that are many.
    pub fn frames(&self, count: usize) -> Vec<Framed> {
        let sentences = self.sentences();
        let few = [self.abroad(), self.list("whole")].concat();
        let (codes, statuses) = (self.list("codes"), self.list("statuses"));
        let (stages, templates) = (self.list("stages"), self.list("templates"));
        let mut draw = Draw::new();
        let mut framed = || {
            let is_of_few = draw.below(5) == 0;
            let sentence = draw.one(if is_of_few { &few } else { &sentences });
            let text = draw.one(&templates).replace("{}", sentence);
            let text = format!("{}{text}", draw.one(&codes));
            let (status, stage) = (draw.one(&statuses).to_owned(), draw.one(&stages).to_owned());
            Framed { text, status, stage }
        };
        (0..count).map(|_| framed()).collect()
    }
}

fn bare(noun: &str) -> &str {
    noun.trim_start_matches("the ")
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}
