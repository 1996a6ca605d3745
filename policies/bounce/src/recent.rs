//! Recent decisions: without addresses and codes many failures are the same, and are decided once.
//!
//! Not here: how a failure is decided (`classify`). Invariant: a decision is only reused for a
//! failure that is equal in all that decides: text, codes, stage, host, and
//! where the text names the sender.

use crate::first_rule::Known;
use crate::status::Status;

/// Failures that are kept at first, and at most. The more are new, the more are kept.
const LEAST: usize = 16;
const MOST: usize = 4096;

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
    remote_mta: String,
    status: Status,
    code: u16,
    stage: u8,
    sender_at: Vec<u16>,
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
    pub fn look_up(&mut self, text: &[u8], known: &Known) -> Lookup<'_, Decided> {
        if !self.is_used {
            // Most often there is only one.
            self.is_used = true;
            return Lookup::NotKept;
        }
        if self.kept.is_empty() || self.fresh > 2 * self.kept.len() && self.kept.len() < MOST {
            self.grow();
        }
        let place = (hash(text, u64::from(known.code)) >> 40) as usize % self.kept.len();
        let kept = &mut self.kept[place];
        if let Some(decided) = kept.decided.filter(|_| kept.is(text, known)) {
            self.again += 1;
            return Lookup::Known(decided);
        }
        self.fresh += 1;
        if self.fresh > 4 * MOST.max(self.again) {
            // Hardly two are alike.
            return Lookup::NotKept;
        }
        kept.take(text, known);
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
        let (text, remote_mta, status) = (Vec::new(), String::new(), Status::default());
        Kept { text, remote_mta, status, code: 0, stage: 0, sender_at: Vec::new(), decided: None }
    }

    #[inline]
    fn is(&self, text: &[u8], known: &Known) -> bool {
        is_same(&self.text, text)
            && (self.status, self.code, self.stage) == (known.status, known.code, known.stage)
            && self.remote_mta == known.remote_mta
            && self.sender_at == known.sender_at
    }

    fn take(&mut self, text: &[u8], known: &Known) {
        text.clone_into(&mut self.text);
        known.remote_mta.clone_into(&mut self.remote_mta);
        (self.status, self.code, self.stage) = (known.status, known.code, known.stage);
        known.sender_at.clone_into(&mut self.sender_at);
        self.decided = None;
    }
}

fn hash(text: &[u8], seed: u64) -> u64 {
    let (eights, rest) = text.as_chunks::<8>();
    let mix = |hash: u64, eight: u64| (hash.rotate_left(5) ^ eight).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let rest = rest.iter().fold(text.len() as u64, |sum, byte| sum << 8 | u64::from(*byte));
    eights.iter().fold(mix(seed, rest), |hash, eight| mix(hash, u64::from_le_bytes(*eight)))
}

/// The same bytes: eight at a time, because WebAssembly has no memcmp.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let ((eights, rest), (others, other_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.len() == b.len()
        && eights.iter().zip(others).all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b))
        && rest == other_rest
}
