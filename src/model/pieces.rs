//! What the further stages of a text model see of a message: its normalised tokens as numbers of pieces. Comes in: a
//! vocabulary, a piece a line, and text as [`super::text::normalise`] leaves it. The same rules stand in
//! `training/chat/pieces.py`, and `tests/it/chat_parity.rs` holds both to one fixture.
//!
//! A token that is in the vocabulary is one piece. Another that it does not know as a word either (lines that open with `=`,
//! last) is mended where one piece is near: a star for a letter, two letters swapped, one doubled or missing its double, one
//! hit beside on the keyboard; of several the one that stands first, and so is the most frequent. What is left is cut: the
//! longest piece that begins the word, then the longest `##` pieces that go on. What nothing fits is [`UNKNOWN`]; 0 is
//! padding; the vocabulary's first line opens every message.

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
    /// Pieces, and then words that are known besides.
    place: HashMap<Box<str>, i32>,
    /// Where the pieces end.
    end: i32,
}

impl Pieces {
    /// Reads a vocabulary. Errors: a repeated or an empty line, or a piece below the known words, by its number from 1.
    pub fn read(lines: &str) -> Result<Self, usize> {
        let (mut place, mut end) = (HashMap::new(), FIRST);
        for (at, line) in lines.lines().enumerate() {
            let word = line.strip_prefix('=').filter(|word| !word.is_empty());
            let misplaced = word.is_none() && end != at as i32 + FIRST;
            if word.is_none() {
                end = at as i32 + FIRST + 1;
            }
            let repeated = place.insert(word.unwrap_or(line).into(), at as i32 + FIRST).is_some();
            if repeated || misplaced || line.is_empty() {
                return Err(at + 1);
            }
        }
        if end == FIRST { Err(1) } else { Ok(Self { place, end }) }
    }

    /// The pieces of a normalised text, the opening first, at most `limit`: of a longer one, the first half and the last
    /// stand for it.
    pub fn of(&self, normalised: &str, limit: usize) -> Vec<i32> {
        let mut out = vec![FIRST];
        for token in normalised.split(' ').filter(|token| !token.is_empty()) {
            let (mended, place) = match self.place.get(token) {
                Some(place) => (None, Some(*place)),
                None => self.mended(token).unzip(),
            };
            match place.filter(|place| *place < self.end) {
                Some(number) => out.push(number),
                None => self.cut(mended.as_deref().unwrap_or(token), &mut out),
            }
        }
        if out.len() > limit {
            let half = limit / 2;
            let tail = out.len() - (limit - half);
            out.drain(half..tail);
        }
        out
    }

    fn number(&self, piece: &str) -> Option<i32> {
        self.place.get(piece).copied().filter(|place| *place < self.end)
    }

    /// The known word that a misspelt one stands for, and its place; its first letter is taken as right.
    fn mended(&self, token: &str) -> Option<(String, i32)> {
        let letters: Vec<char> = token.chars().collect();
        let n = letters.len();
        if n < 3 || !is_alpha(letters[0]) {
            return None;
        }
        let mut first = First { pieces: self, word: String::with_capacity(KEY), found: None };
        if let Some(at) = letters.iter().position(|&c| c == '*') {
            if letters[at + 1..].contains(&'*') {
                return None;
            }
            for c in 'a'..='z' {
                first.put(&letters[..at], &[c], &letters[at + 1..]);
            }
            return first.found;
        }
        if n < 4 {
            return None;
        }
        for i in 1..n - 1 {
            first.put(&letters[..i], &[letters[i + 1], letters[i]], &letters[i + 2..]);
        }
        if first.found.is_some() {
            return first.found;
        }
        for i in 1..n {
            first.put(&letters[..i], &[letters[i], letters[i]], &letters[i + 1..]);
            if letters[i] == letters[i - 1] {
                first.put(&letters[..i], &[], &letters[i + 1..]);
            }
        }
        if first.found.is_some() {
            return first.found;
        }
        for i in 1..n {
            for c in beside(letters[i]) {
                first.put(&letters[..i], &[c], &letters[i + 1..]);
            }
        }
        first.found
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
                self.number(&key).map(|number| (end, number))
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

/// The first in the vocabulary of the words that are put together.
struct First<'a> {
    pieces: &'a Pieces,
    word: String,
    found: Option<(String, i32)>,
}

impl First<'_> {
    fn put(&mut self, head: &[char], middle: &[char], tail: &[char]) {
        self.word.clear();
        self.word.extend(head.iter().chain(middle).chain(tail));
        if let Some(&place) = self.pieces.place.get(self.word.as_str())
            && self.found.as_ref().is_none_or(|(_, found)| place < *found)
        {
            self.found = Some((self.word.clone(), place));
        }
    }
}

/// The keys at either side of a letter, on a QWERTY or an AZERTY keyboard, and those that change places between them.
fn beside(letter: char) -> impl Iterator<Item = char> {
    const ROWS: [&[u8]; 8] = [
        b"qwertyuiop",
        b"asdfghjkl",
        b"zxcvbnm",
        b"azertyuiop",
        b"qsdfghjklm",
        b"wxcvbn",
        b"aq",
        b"zw",
    ];
    ROWS.iter().flat_map(move |row| {
        row.windows(2).flat_map(move |pair| {
            let (left, right) = (char::from(pair[0]), char::from(pair[1]));
            [(left, right), (right, left)]
                .into_iter()
                .filter(move |&(of, _)| of == letter)
                .map(|(_, key)| key)
        })
    })
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
    fn a_misspelt_word_is_the_most_frequent_known_one_that_is_near() {
        let pieces =
            Pieces::read("^\ntuer\nmort\nmont\nkill\nappelle\nfrappe\nfr\n##a\n##p\n=frapep")
                .unwrap();
        assert_eq!(pieces.of("k*ll m*rt mo*t", 16), [2, 6, 4, 4], "the first of mort and mont");
        assert_eq!(pieces.of("teur mrot", 16), [2, 3, 4], "swapped");
        assert_eq!(pieces.of("frape apelle frapppe", 16), [2, 8, 7, 8], "doubled or not");
        assert_eq!(pieces.of("frzppe", 16), [2, 8], "hit beside, on AZERTY");
        assert_eq!(pieces.of("fra k**l", 16), [2, 9, 10, UNKNOWN], "too far");
        assert_eq!(pieces.of("frapep", 16), [2, 9, 10, 11, UNKNOWN, 11], "a word, no slip");
        assert_eq!(pieces.of("fr*pep", 16), [2, 9, 10, 11, UNKNOWN, 11], "mended, then cut");
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
        assert_eq!(Pieces::read("^\n=a\n=a").err(), Some(3));
        assert_eq!(Pieces::read("^\n=a\nb").err(), Some(3), "known words stand last");
        assert!(Pieces::read("^\n=\nb").is_ok(), "the sign itself is a piece");
    }
}
