//! The key that a command is about, and the slot of a Cluster that it has.

use redis::{Arg, Cmd};

pub(super) const SLOTS: u16 = 16384;

/// The first key of a command of carom; `None`: it is about no key.
pub(super) fn first_key(command: &Cmd) -> Option<&[u8]> {
    let mut words = command.args_iter().filter_map(|word| match word {
        Arg::Simple(word) => Some(word),
        _ => None,
    });
    let place = match words.next()? {
        b"INFO" | b"TIME" => return None,
        b"EVAL" => 2,
        _ => 0,
    };
    words.nth(place)
}

/// The slot of a key: CRC16 (XMODEM) of what is between the first braces, or of all.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let tag = memchr::memchr(b'{', key).and_then(|start| {
        let rest = &key[start + 1..];
        memchr::memchr(b'}', rest).filter(|end| *end > 0).map(|end| &rest[..end])
    });
    let crc = tag.unwrap_or(key).iter().fold(0_u16, |crc, octet| {
        (0..8).fold(crc ^ (u16::from(*octet) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_slots_that_redis_gives_them() {
        // CLUSTER KEYSLOT of each.
        for (key, slot) in [("123456789", 12739), ("foo", 12182), ("{foo}.bar", 12182), ("a{foo}b{c}", 12182)]
        {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        assert_ne!(slot_of(b"{}foo"), slot_of(b"foo"), "empty braces are no tag");
    }

    #[test]
    fn commands_go_by_their_first_key() {
        let get = redis::cmd("GET").arg("k").to_owned();
        let eval = redis::cmd("EVAL").arg("return 1").arg(1).arg("k").arg("v").to_owned();
        assert_eq!([first_key(&get), first_key(&eval)], [Some(b"k".as_slice()); 2]);
        assert_eq!(first_key(&redis::cmd("INFO")), None);
    }
}
