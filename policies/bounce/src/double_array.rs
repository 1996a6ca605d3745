//! Places the states of a trie so that a step is one addition and one comparison.
//!
//! Not here: what a state holds (`trie`).

use crate::trie::{Leaf, Node, Nodes, State, To, Way, BELOW_PLACE, ENDS, LEAF, WITHIN, WORD};
use std::collections::VecDeque;

/// Below it some bytes would not fit.
const FIRST: usize = 256;

/// The states. The first are the roots.
pub fn double_array(nodes: &Nodes) -> Vec<State> {
    let mut array = DoubleArray::new();
    // Where the successors of each node are, and the states that lead to a node.
    let mut bases: Vec<Option<u32>> = vec![None; nodes.nodes.len()];
    let mut leading = vec![(WORD, WORD as u32), (WITHIN, WITHIN as u32)];
    let mut queue: VecDeque<u32> = leading.iter().map(|(_, root)| *root).collect();
    while let Some(place) = queue.pop_front() {
        let node = &nodes.nodes[place as usize];
        let ways = &nodes.ways[node.ways.clone()];
        if bases[place as usize].is_some() || ways.is_empty() {
            continue;
        }
        let base = array.base_for(ways, node.end.is_some());
        bases[place as usize] = Some(base as u32);
        if let Some(end) = node.end {
            array.states[base] = end << 8;
        }
        for Way(letter, to) in ways {
            let slot = base + usize::from(*letter);
            array.states[slot] = State::from(*letter);
            match to {
                To::Leaf(leaf) => array.states[slot] |= of_leaf(*leaf, nodes),
                To::Node(next) => {
                    leading.push((slot, *next));
                    queue.push_back(*next);
                }
            }
        }
    }
    for (slot, place) in leading {
        let Node { end, .. } = nodes.nodes[place as usize];
        let base = bases[place as usize].unwrap_or_default();
        array.states[slot] |= of_place(base) | if end.is_some() { ENDS } else { 0 };
    }
    array.finish()
}

/// What a state says of a leaf, or, if no tail follows, of the end that it has.
fn of_leaf(leaf: u32, nodes: &Nodes) -> State {
    let Leaf(tail, end) = nodes.leaves[leaf as usize];
    if nodes.tails[tail as usize] == 0 {
        LEAF | ENDS | of_place(end)
    } else {
        LEAF | of_place(leaf)
    }
}

fn of_place(place: u32) -> State {
    assert!(place < 1 << (32 - BELOW_PLACE), "too many patterns for the trie");
    place << BELOW_PLACE
}

struct DoubleArray {
    states: Vec<State>,
    /// Whether each state is in use, and each base.
    used: Vec<bool>,
    bases: Vec<bool>,
    /// Where one successor is tried first, and several.
    free_from: usize,
    several_from: usize,
}

impl DoubleArray {
    fn new() -> DoubleArray {
        let (states, used, bases) = (vec![0; 4 * FIRST], vec![false; 4 * FIRST], vec![false; 4 * FIRST]);
        DoubleArray { states, used, bases, free_from: FIRST, several_from: FIRST }
    }

    /// A base from which the places of all successors are free, and its own if a literal ends there.
    /// One successor fits into any gap; several are tried from where several fitted last.
    fn base_for(&mut self, ways: &[Way], is_end: bool) -> usize {
        let lowest = if is_end { 0 } else { ways.first().map_or(0, |way| usize::from(way.0)) };
        while self.used.get(self.free_from).is_some_and(|used| *used) {
            self.free_from += 1;
        }
        let several = ways.len() + usize::from(is_end) > 1;
        let first = if several { self.several_from.max(self.free_from) } else { self.free_from };
        let mut base = first - lowest;
        let mut attempts = 0;
        loop {
            if self.states.len() < base + 256 {
                self.states.resize(base + 1024, 0);
                self.used.resize(base + 1024, false);
                self.bases.resize(base + 1024, false);
            }
            let is_free = |letter: usize| !self.used[base + letter];
            if !self.bases[base]
                && (!is_end || is_free(0))
                && ways.iter().all(|way| is_free(usize::from(way.0)))
            {
                break;
            }
            base += 1;
            attempts += 1;
        }
        self.bases[base] = true;
        self.used[base] |= is_end;
        ways.iter().for_each(|way| self.used[base + usize::from(way.0)] = true);
        if attempts > 500 {
            let from = if several { &mut self.several_from } else { &mut self.free_from };
            *from = base + lowest;
        }
        base
    }

    fn finish(mut self) -> Vec<State> {
        let used = self.used.iter().rposition(|used| *used).map_or(0, |last| last + 1);
        self.states.truncate(used.max(FIRST));
        self.states
    }
}
