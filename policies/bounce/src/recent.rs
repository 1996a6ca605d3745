//! Recent decisions: many failures are the same, word for word or but for addresses and codes, and
//! are decided once.
//!
//! Not here: how a failure is decided (`classify`). Invariant: a decision is only reused for a
//! failure that is equal in all that was given as deciding.

/// Failures that are kept at first, and at most. The more are new, the more are kept.
const LEAST: usize = 16;
const MOST: usize = 4096;
/// Words beside a text.
const WORDS: usize = 5;

/// All that decides about a failure.
pub(crate) struct Asked<'a> {
    pub text: &'a [u8],
    pub words: [&'a str; WORDS],
    pub numbers: u64,
    /// Places in the text.
    pub places: &'a [u16],
}

#[derive(Debug)]
pub(crate) struct Recent<Decided> {
    kept: Vec<Kept<Decided>>,
    is_used: bool,
    /// Failures that were new since the memory last grew, and failures that were known.
    fresh: usize,
    again: usize,
}

#[derive(Debug)]
pub(crate) struct Kept<Decided> {
    text: Vec<u8>,
    words: [String; WORDS],
    numbers: u64,
    places: Vec<u16>,
    pub decided: Option<Decided>,
}

pub(crate) enum Lookup<'a, Decided> {
    Known(Decided),
    /// Decide, and keep it here.
    New(&'a mut Kept<Decided>),
    /// Decide; keeping it costs more than it saves.
    NotKept,
}

impl<Decided> Default for Recent<Decided> {
    fn default() -> Recent<Decided> {
        Recent { kept: Vec::new(), is_used: false, fresh: 0, again: 0 }
    }
}

impl<Decided: Copy> Recent<Decided> {
    /// Looks for a failure. A new one takes the place that `New` gives.
    #[inline]
    pub fn look_up(&mut self, asked: &Asked) -> Lookup<'_, Decided> {
        if !self.is_used {
            // Most often there is only one.
            self.is_used = true;
            return Lookup::NotKept;
        }
        if self.kept.is_empty() || self.fresh > 2 * self.kept.len() && self.kept.len() < MOST {
            self.grow();
        }
        let place = (hash(asked.text, asked.numbers) >> 40) as usize % self.kept.len();
        let kept = &mut self.kept[place];
        if let Some(decided) = kept.decided.filter(|_| kept.is(asked)) {
            self.again += 1;
            return Lookup::Known(decided);
        }
        self.fresh += 1;
        if self.fresh > 4 * MOST.max(self.again) {
            // Hardly two are alike.
            return Lookup::NotKept;
        }
        kept.take(asked);
        Lookup::New(kept)
    }

    fn grow(&mut self) {
        let room = (4 * self.kept.len()).clamp(LEAST, MOST);
        self.kept.clear();
        self.kept.resize_with(room, Kept::empty);
        self.fresh = 0;
    }
}

impl<Decided> Kept<Decided> {
    fn empty() -> Kept<Decided> {
        Kept { text: Vec::new(), words: Default::default(), numbers: 0, places: Vec::new(), decided: None }
    }

    #[inline]
    fn is(&self, asked: &Asked) -> bool {
        let is_word = |(word, asked): (&String, &str)| is_same(word.as_bytes(), asked.as_bytes());
        self.numbers == asked.numbers
            && is_same(&self.text, asked.text)
            && self.words.iter().zip(asked.words).all(is_word)
            && self.places == asked.places
    }

    fn take(&mut self, asked: &Asked) {
        asked.text.clone_into(&mut self.text);
        for (word, asked) in self.words.iter_mut().zip(asked.words) {
            asked.clone_into(word);
        }
        self.numbers = asked.numbers;
        asked.places.clone_into(&mut self.places);
        self.decided = None;
    }
}

fn hash(text: &[u8], seed: u64) -> u64 {
    let mix = |hash: u64, eight: u64| (hash.rotate_left(5) ^ eight).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let first = mix(seed ^ text.len() as u64, last(text));
    text.as_chunks::<8>().0.iter().fold(first, |hash, eight| mix(hash, u64::from_le_bytes(*eight)))
}

/// The same bytes: eight at a time, because WebAssembly has no memcmp.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let (eights, others) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    a.len() == b.len()
        && last(a) == last(b)
        && eights.iter().zip(others).all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b))
}

/// The last eight bytes, or all if there are fewer: with the length and the eights before, all that
/// is in a text.
#[inline]
fn last(text: &[u8]) -> u64 {
    let four = |four: &[u8; 4]| u64::from(u32::from_le_bytes(*four));
    match (text.last_chunk::<8>(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(eight), ..) => u64::from_le_bytes(*eight),
        (None, Some(first), Some(last)) => four(first) << 32 | four(last),
        _ => text.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)),
    }
}
