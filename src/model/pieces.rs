//! What the second stage of a text model sees of a message: its normalised tokens as numbers of pieces. Comes in: a
//! vocabulary, a piece a line, and text as [`super::text::normalise`] leaves it. The same rules stand in
//! `training/chat/pieces.py`, and `tests/it/chat_parity.rs` holds both to one fixture.
//!
//! A token that is in the vocabulary is one piece. Another word is cut: the longest piece that begins it, then the longest
//! `##` pieces that go on. What nothing fits is [`UNKNOWN`]; 0 is padding; the vocabulary's first line opens every message.

use hashbrown::HashMap;

use super::text::{WORD_MAX, is_alpha};

/// What nothing in the vocabulary fits.
pub const UNKNOWN: i32 = 1;
/// The number of the vocabulary's first line.
const FIRST: i32 = 2;
/// Bytes of `##` and the longest word: more cannot be looked up.
const KEY: usize = 2 + 4 * WORD_MAX;

/// A vocabulary.
pub struct Pieces {
    number: HashMap<Box<str>, i32>,
}

impl Pieces {
    /// Reads a vocabulary. Errors: a repeated or an empty line, by its number from 1.
    pub fn read(lines: &str) -> Result<Self, usize> {
        let mut number = HashMap::new();
        for (place, line) in lines.lines().enumerate() {
            let known = number.insert(line.into(), place as i32 + FIRST);
            if known.is_some() || line.is_empty() {
                return Err(place + 1);
            }
        }
        if number.is_empty() { Err(1) } else { Ok(Self { number }) }
    }

    /// The pieces of a normalised text, the opening first, at most `limit`: of a longer one, the first half and the last
    /// stand for it.
    pub fn of(&self, normalised: &str, limit: usize) -> Vec<i32> {
        let mut out = vec![FIRST];
        for token in normalised.split(' ').filter(|token| !token.is_empty()) {
            match self.number.get(token) {
                Some(number) => out.push(*number),
                None => self.cut(token, &mut out),
            }
        }
        if out.len() > limit {
            let half = limit / 2;
            let tail = out.len() - (limit - half);
            out.drain(half..tail);
        }
        out
    }

    fn cut(&self, token: &str, out: &mut Vec<i32>) {
        let first = token.chars().next();
        if !(first.is_some_and(is_alpha) && token.chars().nth(1).is_some()) {
            out.push(UNKNOWN);
            return;
        }
        // Where characters begin, and the end.
        let edges: Vec<usize> =
            token.char_indices().map(|(at, _)| at).chain([token.len()]).collect();
        let mut key = String::with_capacity(KEY);
        let (mut start, opened) = (0, out.len());
        while start + 1 < edges.len() {
            key.clear();
            key.push_str(if start > 0 { "##" } else { "" });
            let mark = key.len();
            let found = (start + 1..edges.len()).rev().find_map(|end| {
                key.truncate(mark);
                key.push_str(&token[edges[start]..edges[end]]);
                self.number.get(key.as_str()).map(|number| (end, *number))
            });
            match found {
                Some((end, number)) => {
                    out.push(number);
                    start = end;
                }
                None => {
                    if out.len() == opened || out.last() != Some(&UNKNOWN) {
                        out.push(UNKNOWN);
                    }
                    start += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> Pieces {
        Pieces::read("^\nfrappe\nfrap\nlui\n##pe\n##s\n##é\n!").unwrap()
    }

    #[test]
    fn known_tokens_are_one_piece_and_others_are_cut_from_the_longest() {
        let pieces = pieces();
        assert_eq!(pieces.of("frappe lui !", 16), [2, 3, 5, 9]);
        assert_eq!(pieces.of("frappes", 16), [2, 3, 7]);
        assert_eq!(pieces.of("frapés", 16), [2, 4, 8, 7]);
        assert_eq!(pieces.of("frapxxs", 16), [2, 4, UNKNOWN, 7], "once a gap");
        assert_eq!(pieces.of("xyz", 16), [2, UNKNOWN]);
        assert_eq!(pieces.of("😂 42", 16), [2, UNKNOWN, UNKNOWN]);
        assert_eq!(pieces.of("", 16), [2]);
    }

    #[test]
    fn of_a_long_message_both_ends_stay() {
        let long = "lui ".repeat(50) + "frappe";
        let got = pieces().of(&long, 6);
        assert_eq!(got, [2, 5, 5, 5, 5, 3]);
    }

    #[test]
    fn a_repeated_or_empty_line_is_refused_by_number() {
        assert_eq!(Pieces::read("^\na\na").err(), Some(3));
        assert_eq!(Pieces::read("^\n\na").err(), Some(2));
        assert_eq!(Pieces::read("").err(), Some(1));
    }
}
