//! The classes of what is flushed, by number: few, however many replies there were.
//!
//! Not here: which class a reply has (`classifier`).

use crate::class::Class;
use rustc_hash::FxHashMap;
use std::rc::Rc;

#[derive(Default)]
pub(crate) struct CountedClasses {
    classes: Vec<Rc<Class>>,
    numbers: FxHashMap<Rc<Class>, u32>,
}

impl CountedClasses {
    /// The number of a class.
    pub(crate) fn number(&mut self, class: Rc<Class>) -> u32 {
        let CountedClasses { classes, numbers } = self;
        *numbers.entry(class).or_insert_with_key(|class| {
            classes.push(class.clone());
            (classes.len() - 1) as u32
        })
    }

    pub(crate) fn class(&self, number: u32) -> &Class {
        &self.classes[number as usize]
    }
}
