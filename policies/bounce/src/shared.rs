//! Makes one of what is the same in a trie: lists of ends, tails, and nodes from which the same ways
//! lead to the same ends. `error` and `errors` after each of hundred words are then there once.
//!
//! Only for the shipped rules, when the policy is built: own rules are few, and are read at each
//! start. Invariant: whatever is found in a text is found as before, in the same order.

use crate::trie::{Leaf, Node, Nodes, To, Way, MORE};
use std::collections::HashMap;

/// The same trie, made of less.
pub fn shared(nodes: Nodes) -> Nodes {
    let nodes = &nodes;
    let (tails, place_of_tail) = tails(nodes);
    let mut sharing =
        Sharing { new: Nodes { tails, ..Nodes::default() }, ends: HashMap::new(), leaves: HashMap::new() };
    let mut known: HashMap<(Option<u32>, Vec<Way>), u32> = HashMap::new();
    // The last nodes first: where a node's ways lead is known before the node. The new nodes are in
    // the opposite order.
    let mut places = vec![0; nodes.nodes.len()];
    for (place, node) in nodes.nodes.iter().enumerate().rev() {
        let end = node.end.map(|end| sharing.end(end, nodes));
        let way = |Way(letter, to): &Way| match to {
            To::Node(next) => Way(*letter, To::Node(places[*next as usize])),
            To::Leaf(leaf) => {
                let Leaf(tail, end) = nodes.leaves[*leaf as usize];
                let leaf = Leaf(place_of_tail[&tail], sharing.end(end, nodes));
                Way(*letter, To::Leaf(sharing.leaf(leaf)))
            }
        };
        let ways: Vec<Way> = nodes.ways[node.ways.clone()].iter().map(way).collect();
        let is_root = place < 2;
        let count = sharing.new.nodes.len() as u32;
        let same = if is_root { count } else { *known.entry((end, ways.clone())).or_insert(count) };
        places[place] = same;
        if same == count {
            let first = sharing.new.ways.len();
            sharing.new.ways.extend(ways);
            sharing.new.nodes.push(Node { end, ways: first..sharing.new.ways.len() });
        }
    }
    sharing.new.turned()
}

struct Sharing {
    new: Nodes,
    ends: HashMap<Vec<u32>, u32>,
    leaves: HashMap<Leaf, u32>,
}

impl Sharing {
    /// The new place of a list of ends.
    fn end(&mut self, place: u32, nodes: &Nodes) -> u32 {
        let list = &nodes.ends[place as usize..];
        let last = list.iter().position(|end| end & MORE == 0).expect("a last end");
        let ends = &mut self.new.ends;
        *self.ends.entry(list[..=last].to_vec()).or_insert_with(|| {
            ends.extend_from_slice(&list[..=last]);
            (ends.len() - 1 - last) as u32
        })
    }

    /// The new place of a leaf.
    fn leaf(&mut self, leaf: Leaf) -> u32 {
        let leaves = &mut self.new.leaves;
        *self.leaves.entry(leaf).or_insert_with(|| {
            leaves.push(leaf);
            leaves.len() as u32 - 1
        })
    }
}

impl Nodes {
    /// The nodes in the opposite order.
    fn turned(mut self) -> Nodes {
        let last = self.nodes.len() as u32 - 1;
        self.nodes.reverse();
        for Way(_, to) in &mut self.ways {
            if let To::Node(next) = to {
                *next = last - *next;
            }
        }
        self
    }
}

/// The tails, of which one that another ends with is only there as its end; and for each place
/// before, the place where it is now.
fn tails(nodes: &Nodes) -> (Vec<u8>, HashMap<u32, u32>) {
    let mut old: Vec<(Vec<u8>, u32)> = Vec::new();
    let mut from = 0;
    for tail in nodes.tails.split_inclusive(|byte| *byte == 0) {
        old.push((tail.iter().rev().copied().collect(), from));
        from += tail.len() as u32;
    }
    // Turned around, a tail comes directly before those that end with it.
    old.sort();
    let (mut tails, mut places) = (Vec::new(), HashMap::new());
    let mut longer: Option<(&[u8], usize)> = None;
    for (turned, place) in old.iter().rev() {
        let end = match longer {
            Some((known, end)) if known.starts_with(turned) => end,
            _ => {
                tails.extend(turned.iter().rev());
                longer = Some((turned, tails.len()));
                tails.len()
            }
        };
        places.insert(*place, (end - turned.len()) as u32);
    }
    (tails, places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trie::{Trie, WITHIN, WORD};

    /// Every literal that the nodes hold, with its root and the entries at its end.
    fn literals(nodes: &Nodes) -> Vec<(u32, Vec<u8>, Vec<u32>)> {
        let ends = |place: u32| {
            let list = &nodes.ends[place as usize..];
            let last = list.iter().position(|end| end & MORE == 0).unwrap();
            list[..=last].iter().map(|end| end & !MORE).collect()
        };
        let mut found = Vec::new();
        let mut open: Vec<(u32, u32, Vec<u8>)> =
            [WORD, WITHIN].map(|root| (root as u32, root as u32, Vec::new())).into();
        while let Some((root, place, letters)) = open.pop() {
            let node = &nodes.nodes[place as usize];
            found.extend(node.end.map(|end| (root, letters.clone(), ends(end))));
            for Way(letter, to) in &nodes.ways[node.ways.clone()] {
                let mut longer = [&letters[..], &[*letter]].concat();
                match to {
                    To::Node(next) => open.push((root, *next, longer)),
                    To::Leaf(leaf) => {
                        let Leaf(tail, end) = nodes.leaves[*leaf as usize];
                        let tail = nodes.tails[tail as usize..].iter().take_while(|byte| **byte != 0);
                        longer.extend(tail);
                        found.push((root, longer, ends(end)));
                    }
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn what_is_shared_is_still_there() {
        let mut trie = Trie::default();
        for (entry, literal) in [
            "user unknown",
            "mailbox unknown",
            "user is unknown",
            "mailbox is unknown",
            "user",
            "unknown",
            "user",
        ]
        .iter()
        .enumerate()
        {
            // The same entry for phrases that end alike.
            trie.insert(WORD, literal.as_bytes(), if literal.contains(' ') { 7 } else { entry as u32 });
        }
        trie.insert(WITHIN, b"box unknown", 7);
        trie.sort();
        let nodes = trie.nodes();
        let less = shared(trie.nodes());
        assert_eq!(literals(&less), literals(&nodes));
        assert_eq!(literals(&less).len(), 7);
        assert_eq!(literals(&less)[3], (0, b"user".to_vec(), vec![4, 6]));
        assert!(less.nodes.len() < nodes.nodes.len() && less.tails.len() < nodes.tails.len());
        assert!(less.ends.len() < nodes.ends.len());
    }
}
