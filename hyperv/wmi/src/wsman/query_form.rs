//! What a query in WQL asks for, as far as WS-Man needs to know.

use super::codec::EnumerationMode;

/// How the answer to a query looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueryForm {
    /// Objects with references where whole objects are asked for.
    pub(super) mode: EnumerationMode,
    /// The class that stands behind `FROM`; a projection's answer does not name it.
    pub(super) class: String,
}

impl QueryForm {
    /// Looks at a query. `SELECT *`, `ASSOCIATORS OF` and `REFERENCES OF` give whole objects, which
    /// come with their paths. A projection gives fragments without keys, and so without paths.
    ///
    /// Contract: 0.5 [M]
    pub(super) fn of(wql: &str) -> Self {
        let mut words = wql.split_whitespace();
        let selects = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("SELECT"));
        let whole = !selects || words.next() == Some("*");
        let class = words
            .skip_while(|word| !word.eq_ignore_ascii_case("FROM"))
            .nth(1)
            .filter(|_| selects);
        Self {
            mode: match whole {
                true => EnumerationMode::ObjectAndReference,
                false => EnumerationMode::Object,
            },
            class: class.unwrap_or_default().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_objects_come_with_references() {
        let form = |wql: &str| {
            let form = QueryForm::of(wql);
            (form.mode == EnumerationMode::ObjectAndReference, form.class)
        };
        let of = |whole, class: &str| (whole, class.to_owned());
        assert_eq!(form("SELECT * FROM Msvm_X WHERE A=1"), of(true, "Msvm_X"));
        assert_eq!(form("select  Name, B from\nWin32_Y"), of(false, "Win32_Y"));
        assert_eq!(
            form("ASSOCIATORS OF {X.A=\"1\"} WHERE ResultClass=Y"),
            of(true, "")
        );
        assert_eq!(form("REFERENCES OF {X.A=\"from B\"}"), of(true, ""));
        assert_eq!(form(""), of(true, ""));
    }
}
