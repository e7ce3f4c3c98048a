//! WQL, as far as callers of Hyper-V use it: what is asked, read from text, and whether an
//! instance answers it.
//!
//! ```text
//!   query      = select | associators | references
//!   select     = "SELECT" ("*" | name {"," name}) "FROM" class ["WHERE" condition]
//!   associators= "ASSOCIATORS OF" "{" path "}" ["WHERE" {option}]
//!   references = "REFERENCES OF" "{" path "}" ["WHERE" {option}]
//!   option     = ("AssocClass" | "ResultClass" | "ResultRole" | "Role") "=" name | "ClassDefsOnly" | …
//!   condition  = conjunction {"OR" conjunction}
//!   conjunction= negation {"AND" negation}
//!   negation   = "NOT" negation | "(" condition ")" | comparison
//!   comparison = name ("=" | "!=" | "<>" | "<" | ">" | "<=" | ">=" | "LIKE") literal
//!              | literal operator name | name "IS" ["NOT"] "NULL"
//! ```
//!
//! Texts compare without regard to case, as in WMI; nothing compares with null. Every text is
//! either read or refused with `BadQuery`; length and nesting are bounded.
//!
//! Source: "WQL (SQL for WMI)" and "LIKE Operator" of the WMI reference.

mod evaluate;
mod like;
mod parse;
mod tokens;

pub(crate) use evaluate::lookup;
pub(crate) use parse::parse;
use wmi::{ObjectPath, WmiError, WmiErrorKind};

/// Bytes of a query that is looked at.
pub(crate) const QUERY_BYTES_MAX: usize = 64 << 10;
/// Conditions inside each other.
pub(crate) const DEPTH_MAX: usize = 64;

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    /// `SELECT … FROM …`
    Select(Select),
    /// `ASSOCIATORS OF {…}`
    Associators(Associated),
    /// `REFERENCES OF {…}`
    References(Associated),
}

impl Query {
    /// Returns the class whose instances are asked for; empty where the query names none.
    pub(crate) fn asked_class(&self) -> &str {
        match self {
            Self::Select(select) => &select.class,
            Self::Associators(asked) | Self::References(asked) => {
                asked.result_class.as_deref().unwrap_or_default()
            }
        }
    }
}

/// `SELECT columns FROM class WHERE condition`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Select {
    /// The properties asked for; none is all of them.
    pub(crate) columns: Vec<String>,
    /// The class.
    pub(crate) class: String,
    /// Which of its instances.
    pub(crate) condition: Option<Condition>,
}

/// What follows `ASSOCIATORS OF` and `REFERENCES OF`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Associated {
    /// The object at one end.
    pub(crate) object: ObjectPath,
    /// `AssocClass`: the class of the association.
    pub(crate) association: Option<String>,
    /// `ResultClass`: the class at the other end, or of the association in `REFERENCES OF`.
    pub(crate) result_class: Option<String>,
    /// `Role`: the property of the association that names this object.
    pub(crate) role: Option<String>,
    /// `ResultRole`: the property that names the other one.
    pub(crate) result_role: Option<String>,
}

/// What an instance must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// All of them.
    All(Vec<Self>),
    /// At least one of them.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// A property compared with a literal.
    Compare {
        /// Name of the property, with dots into embedded instances.
        property: String,
        /// How.
        operator: Operator,
        /// With what.
        literal: Literal,
    },
    /// `IS NULL`
    IsNull {
        /// Name of the property.
        property: String,
    },
}

/// How a property is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `=`
    Equal,
    /// `!=` or `<>`
    NotEqual,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `LIKE`
    Like,
}

/// A literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    /// In single or double quotes.
    Text(String),
    /// A whole number.
    Number(i128),
    /// `TRUE` or `FALSE`
    Truth(bool),
}

impl Condition {
    /// Hands over the name of every property that the condition looks at.
    pub(crate) fn each_property<'a>(&'a self, each: &mut dyn FnMut(&'a str)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.each_property(each);
                }
            }
            Self::Not(inner) => inner.each_property(each),
            Self::Compare { property, .. } | Self::IsNull { property } => each(property),
        }
    }
}

/// Makes the error that WMI gives for a query that it cannot read: `WBEM_E_INVALID_QUERY`.
pub(crate) fn bad_query(why: impl AsRef<str>) -> WmiError {
    let what = format!("the query cannot be read: {}", why.as_ref());
    WmiError::new(WmiErrorKind::BadQuery, what).with_code(0x8004_1017)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wmi::{Instance, Value};

    use super::*;

    fn instance() -> Instance {
        Instance::new("Msvm_X")
            .with("Name", "SQL01")
            .with("Id", r"Microsoft:5E\0\L")
            .with("State", 2_u16)
            .with("On", true)
            .with("Nothing", Value::Null)
            .with("List", vec![1_u16])
            .with(
                "Inner",
                Value::Instance(Box::new(Instance::new("P").with("VmID", "5E"))),
            )
            .with(
                "Parent",
                ObjectPath::new("", "C").with_key("InstanceID", r"a\b"),
            )
    }

    fn holds(condition: &str) -> bool {
        let wql = format!("SELECT * FROM Msvm_X WHERE {condition}");
        match parse(&wql).unwrap() {
            Query::Select(select) => select.condition.unwrap().holds(&instance()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn conditions_hold_as_in_wmi() {
        for (condition, expected) in [
            ("Name='sql01'", true),
            ("Name = \"SQL02\"", false),
            ("'SQL01' = Name", true),
            ("3 > State", true),
            ("Name != 'x' AND State <> 3", true),
            ("State=2", true),
            ("State='2'", true),
            ("State >= 2 AND State <= 2 AND NOT State < 2", true),
            ("On = TRUE", true),
            ("On = false", false),
            ("On <> 1", false),
            ("Nothing IS NULL", true),
            ("Nothing = NULL", true),
            ("Name IS NOT NULL", true),
            ("Nothing = 'x'", false),
            ("Nothing <> 'x'", false),
            ("List = 1", false),
            ("State=3 OR Name LIKE 'sql%'", true),
            ("State=3 AND State=2 OR On=TRUE", true),
            ("State=3 AND (State=2 OR On=TRUE)", false),
            ("NOT (State=3)", true),
            (r"Id='Microsoft:5E\\0\\L'", true),
            (r"Id LIKE 'Microsoft:5E\\%'", true),
            ("Inner.VmID='5e'", true),
            ("Msvm_X.Name='SQL01'", true),
            ("__CLASS='msvm_x'", true),
            ("Name > 'SQL00'", true),
            ("State > -5", true),
            (r#"Parent="C.InstanceID=\"a\\\\b\"""#, true),
            (r#"Parent='C.InstanceID="a\\\\c"'"#, false),
        ] {
            assert_eq!(holds(condition), expected, "{condition}");
        }
    }

    #[test]
    fn associations_are_read_with_what_they_are_limited_to() {
        let wql = r#"ASSOCIATORS OF {Msvm_ConcreteJob.InstanceID="a}b"} WHERE AssocClass=Msvm_A ResultClass = Msvm_B ResultRole=R Role=Q"#;
        let Query::Associators(found) = parse(wql).unwrap() else {
            panic!("{wql}");
        };
        assert_eq!(found.object.key("InstanceID"), Some("a}b"));
        assert_eq!(found.association.as_deref(), Some("Msvm_A"));
        assert_eq!(found.result_class.as_deref(), Some("Msvm_B"));
        assert_eq!(found.result_role.as_deref(), Some("R"));
        assert_eq!(found.role.as_deref(), Some("Q"));
        let wql = r#"references of {Msvm_X.InstanceID="a"} where resultclass=Msvm_Y"#;
        assert!(matches!(parse(wql), Ok(Query::References(_))));
    }

    #[test]
    fn what_is_no_query_is_refused() {
        let deep = format!("SELECT * FROM X WHERE {}A=1", "(".repeat(5000));
        let nots = format!("SELECT * FROM X WHERE {}A=1", "NOT ".repeat(5000));
        let long = format!("SELECT * FROM X WHERE A='{}'", "a".repeat(QUERY_BYTES_MAX));
        for wql in [
            "",
            "SELECT",
            "SELECT * FROM",
            "SELECT FROM X",
            "SELECT a, FROM X",
            "SELECT * FROM X WHERE",
            "SELECT * FROM X WHERE A",
            "SELECT * FROM X WHERE A=",
            "SELECT * FROM X WHERE A=B",
            "SELECT * FROM X WHERE A='b",
            "SELECT * FROM X WHERE A=1 B=2",
            "SELECT * FROM X WHERE (A=1",
            "SELECT * FROM X WHERE A=1)",
            "SELECT * FROM X WHERE A LIKE 5",
            "SELECT * FROM X WHERE A < NULL",
            "SELECT * FROM X; DELETE",
            "DELETE FROM X",
            "ASSOCIATORS OF X",
            "ASSOCIATORS OF {a b}",
            "ASSOCIATORS OF {X.A=\"b\"",
            "ASSOCIATORS OF {X.A=\"b\"} WHERE",
            "ASSOCIATORS OF {X.A=\"b\"} WHERE Result=Y",
            "SELECT * FROM X WHERE A=99999999999999999999999999999999999999999",
            &deep,
            &nots,
            &long,
        ] {
            let error = parse(wql).unwrap_err();
            assert_eq!(error.kind(), WmiErrorKind::BadQuery, "{wql}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn no_order_of_words_panics(words in proptest::collection::vec(
            proptest::sample::select(vec![
                "SELECT", "*", "FROM", "WHERE", "A", "b.c", "=", "<>", "LIKE", "'x%'", "\"y\"",
                "5", "-", "NOT", "(", ")", "AND", "OR", "IS", "NULL", "TRUE", "ASSOCIATORS", "OF",
                "{X.A=\"1\"}", "{", "}", ",", "ResultClass", "REFERENCES", "\\", "é", "[",
            ]), 0..24)) {
            if let Ok(Query::Select(Select { condition: Some(condition), .. })) =
                parse(&words.join(" "))
            {
                let _ = condition.holds(&instance());
            }
        }

        #[test]
        fn quoted_texts_come_back(text in any::<String>()) {
            let wql = format!("SELECT * FROM X WHERE A={}", wmi::quote(&text));
            let Ok(Query::Select(select)) = parse(&wql) else {
                return Err(TestCaseError::fail(wql));
            };
            let expected = Condition::Compare {
                property: "A".to_owned(),
                operator: Operator::Equal,
                literal: Literal::Text(text),
            };
            prop_assert_eq!(select.condition, Some(expected));
        }
    }
}
