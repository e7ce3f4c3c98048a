//! The text that LVM2 keeps its metadata in.
//!
//! ```text
//!   section = { NAME "=" value | NAME "{" section "}" }      "#" begins a comment
//!   value   = number | string | "[" [ value { "," value } ] "]"
//! ```
//!
//! Any bytes are read as far as they are such a text; then reading ends with `None`. Sections nest no
//! deeper than [`DEPTH_MAX`], so neither does this reader.

use std::collections::BTreeMap;

/// How deep sections and lists may nest; LVM2 itself needs four.
const DEPTH_MAX: usize = 12;

/// A section, its parts by name. Of two of one name the later one counts.
pub(super) type Section = BTreeMap<String, Node>;

/// A part of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A whole number; what has a fraction is nothing that is asked for here, and is cut off.
    Number(i64),
    Text(String),
    List(Vec<Node>),
    Section(Section),
}

impl Node {
    pub(super) fn section(&self) -> Option<&Section> {
        match self {
            Self::Section(section) => Some(section),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Node]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }
}

/// Reads a whole text; `None` where it is none.
pub(super) fn parse(text: &[u8]) -> Option<Section> {
    let mut parser = Parser { rest: text };
    let section = parser.section(0)?;
    parser.rest.is_empty().then_some(section)
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl Parser<'_> {
    /// Reads up to the end of the text or a closing brace, which stays.
    fn section(&mut self, depth: usize) -> Option<Section> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut section = Section::new();
        loop {
            self.skip_blanks();
            if matches!(self.rest.first(), None | Some(b'}')) {
                return Some(section);
            }
            let name = self.word()?;
            self.skip_blanks();
            let node = if self.take(b'{') {
                let inner = self.section(depth + 1)?;
                self.take(b'}').then_some(Node::Section(inner))?
            } else if self.take(b'=') {
                self.value(depth + 1)?
            } else {
                return None;
            };
            section.insert(name, node);
        }
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        self.skip_blanks();
        if self.take(b'[') {
            return self.list(depth);
        }
        if self.take(b'"') {
            return self.string();
        }
        let word = self.word()?;
        let whole = word.split('.').next().unwrap_or("");
        whole.parse().ok().map(Node::Number)
    }

    /// Reads the rest of a list.
    fn list(&mut self, depth: usize) -> Option<Node> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            if self.take(b']') {
                return Some(Node::List(values));
            }
            if !values.is_empty() {
                self.take(b',').then_some(())?;
            }
            self.skip_blanks();
            if !self.take(b']') {
                values.push(self.value(depth + 1)?);
            } else {
                return Some(Node::List(values));
            }
        }
    }

    /// Reads the rest of a string: a backslash takes the next letter as it is.
    fn string(&mut self) -> Option<Node> {
        let mut bytes = Vec::new();
        let mut letters = self.rest.iter().enumerate();
        while let Some((at, letter)) = letters.next() {
            match letter {
                b'"' => {
                    self.rest = self.rest.get(at + 1..)?;
                    return Some(Node::Text(String::from_utf8_lossy(&bytes).into_owned()));
                }
                b'\\' => bytes.push(*letters.next()?.1),
                letter => bytes.push(*letter),
            }
        }
        None
    }

    fn word(&mut self) -> Option<String> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.+/".contains(byte);
        let end = self.rest.iter().position(|byte| !is_word(byte));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        (!word.is_empty()).then(|| String::from_utf8_lossy(word).into_owned())
    }

    fn take(&mut self, letter: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == letter => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Skips blanks, comments and the NUL that ends a text.
    fn skip_blanks(&mut self) {
        while let Some((first, rest)) = self.rest.split_first() {
            match first {
                b' ' | b'\t' | b'\r' | b'\n' | 0 => self.rest = rest,
                b'#' => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    self.rest = rest.get(end.unwrap_or(rest.len())..).unwrap_or(&[]);
                }
                _ => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_becomes_what_it_says() {
        let text = br#"# one
            vg { id = "a\"b" list = ["x", 0, "y", 5] inner { n = -3 } empty = [] f = 1.5 }
            contents = "Text Format Volume Group"
        "#;
        let parsed = parse(text).unwrap();
        let vg = parsed["vg"].section().unwrap();
        assert_eq!(vg["id"].text(), Some("a\"b"));
        assert_eq!(vg["list"].list().unwrap().len(), 4);
        assert_eq!(vg["inner"].section().unwrap()["n"], Node::Number(-3));
        assert_eq!(vg["empty"], Node::List(Vec::new()));
        assert_eq!(vg["f"].number(), Some(1));
    }

    #[test]
    fn what_is_no_text_is_none() {
        let deep = "a{".repeat(100_000);
        let lists = format!("a={}", "[".repeat(100_000));
        for bad in [
            "a",
            "a {",
            "a = ",
            "a = \"x",
            "a = [1",
            "}",
            "a = [1 2]",
            &deep,
            &lists,
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{}", &bad[..bad.len().min(20)]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_letters_of_the_grammar_end(text in "[a{}=\\[\\]\"\\\\, 1#\n]{0,200}") {
            let _ = parse(text.as_bytes());
        }
    }
}
