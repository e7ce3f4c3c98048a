//! The words of a query.

use wmi::WmiError;

use super::{Operator, QUERY_BYTES_MAX, bad_query};

/// A word of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword or a name, with dots and underscores.
    Word(String),
    /// A text in quotes, unescaped.
    Text(String),
    /// A whole number.
    Number(i128),
    /// What stands between braces.
    Object(String),
    /// A comparison; `LIKE` is a word.
    Operator(Operator),
    /// `*`
    Star,
    /// `,`
    Comma,
    /// `(`
    Open,
    /// `)`
    Close,
}

/// Cuts a query into its words.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, WmiError> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(bad_query(format!("it has {} bytes", text.len())));
    }
    let mut cursor = Cursor { rest: text };
    let mut tokens = Vec::new();
    while let Some(token) = cursor.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    fn token(&mut self) -> Result<Option<Token>, WmiError> {
        self.rest = self.rest.trim_start();
        let Some(first) = self.take() else {
            return Ok(None);
        };
        let token = match first {
            '*' => Token::Star,
            ',' => Token::Comma,
            '(' => Token::Open,
            ')' => Token::Close,
            '=' => Token::Operator(Operator::Equal),
            '!' if self.skip('=') => Token::Operator(Operator::NotEqual),
            '<' if self.skip('>') => Token::Operator(Operator::NotEqual),
            '<' if self.skip('=') => Token::Operator(Operator::AtMost),
            '<' => Token::Operator(Operator::Less),
            '>' if self.skip('=') => Token::Operator(Operator::AtLeast),
            '>' => Token::Operator(Operator::Greater),
            '\'' | '"' => Token::Text(self.text(first)?),
            '{' => Token::Object(self.object()?),
            '-' | '+' => Token::Number(self.number(first == '-', String::new())?),
            digit if digit.is_ascii_digit() => Token::Number(self.number(false, digit.into())?),
            letter if letter.is_alphabetic() || letter == '_' => {
                let mut word = String::from(letter);
                word.push_str(
                    &self.take_while(|next| next.is_alphanumeric() || next == '_' || next == '.'),
                );
                Token::Word(word)
            }
            other => return Err(bad_query(format!("{other:?} has no meaning"))),
        };
        Ok(Some(token))
    }

    /// Reads up to the closing quote. A backslash makes the next character an ordinary one.
    fn text(&mut self, quote: char) -> Result<String, WmiError> {
        let mut text = String::new();
        loop {
            match self.take() {
                Some(end) if end == quote => return Ok(text),
                Some('\\') => text.extend(self.take()),
                Some(other) => text.push(other),
                None => return Err(bad_query("a text has no end")),
            }
        }
    }

    /// Reads up to the closing brace, of which those inside double quotes are none.
    fn object(&mut self) -> Result<String, WmiError> {
        let mut text = String::new();
        let mut quoted = false;
        loop {
            let Some(next) = self.take() else {
                return Err(bad_query("an object path has no end"));
            };
            match next {
                '}' if !quoted => return Ok(text.trim().to_owned()),
                '\\' if quoted => {
                    text.push(next);
                    text.extend(self.take());
                    continue;
                }
                '"' => quoted = !quoted,
                _ => {}
            }
            text.push(next);
        }
    }

    fn number(&mut self, negative: bool, mut digits: String) -> Result<i128, WmiError> {
        digits.push_str(&self.take_while(|next| next.is_ascii_digit()));
        let number: i128 = digits
            .parse()
            .map_err(|_| bad_query(format!("{digits:?} is not a number")))?;
        Ok(if negative { -number } else { number })
    }

    fn take(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let first = characters.next();
        self.rest = characters.as_str();
        first
    }

    fn skip(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let end = self
            .rest
            .find(|next| !belongs(next))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }
}
