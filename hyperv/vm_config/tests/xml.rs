//! XML in every encoding, and what is not XML enough.

use vm_config::{ConfigErrorKind, Node, Tree, Value, read_xml};

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff)
        .chain(text.encode_utf16())
        .flat_map(unit)
        .collect()
}

const TEXT: &str = "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<configuration>\r\n  \
    <name type=\"string\"> \u{1f600} &lt;&amp;&gt;&quot;&apos;&#x41;&#13; </name>\r\n\
    <n type=\"integer\"> -7 </n><u type=\"integer\">18446744073709551615</u>\
    <b type=\"bool\">TRUE</b><c type=\"bool\">False</c><d type=\"bytes\">AAEC\r\nAw==\r\n</d>\
    <e/><f></f><g type=\"string\"/><h type=\"later\">x</h><i>y</i></configuration>\r\n";

#[test]
fn every_encoding_gives_the_same_tree() {
    let expected = Tree {
        children: vec![Node::branch(
            "configuration",
            vec![
                Node::text("name", " \u{1f600} <&>\"'A\r "),
                Node::integer("n", -7),
                Node::new("u", Value::Unsigned(u64::MAX)),
                Node::bool("b", true),
                Node::bool("c", false),
                Node::new("d", Value::Bytes(vec![0, 1, 2, 3])),
                Node::branch("e", vec![]),
                Node::branch("f", vec![]),
                Node::text("g", ""),
                Node::text("h", "x"),
                Node::text("i", "y"),
            ],
        )],
    };
    let marked = [b"\xef\xbb\xbf", TEXT.as_bytes()].concat();
    for bytes in [
        TEXT.as_bytes().to_vec(),
        marked,
        utf16(TEXT, u16::to_le_bytes),
        utf16(TEXT, u16::to_be_bytes),
    ] {
        assert_eq!(read_xml("t", &bytes).unwrap(), expected);
    }
}

#[test]
fn each_fault_is_refused_at_its_place() {
    use ConfigErrorKind::{Corrupt, NotAConfiguration, Unsupported};
    let open = "<configuration>";
    let rows = [
        ("<configuration><a>", Corrupt, 18),
        ("<configuration></a>", Corrupt, 15),
        (
            "<configuration><a type=\"bool\">x</a></configuration>",
            Corrupt,
            31,
        ),
        (
            "<configuration><a type=\"integer\"></a></configuration>",
            Corrupt,
            33,
        ),
        (
            "<configuration><a type=\"bytes\">*</a></configuration>",
            Corrupt,
            32,
        ),
        (
            "<configuration><a type=\"string\"><b/></a></configuration>",
            Corrupt,
            36,
        ),
        ("<configuration>text<b/></configuration>", Corrupt, 23),
        ("<configuration/>text", Corrupt, 16),
        ("<configuration/><configuration/>", Corrupt, 16),
        ("<configuration>&other;</configuration>", Unsupported, 15),
        ("<!DOCTYPE a><configuration/>", Unsupported, 0),
        ("<!DOCTYPE html><html/>", NotAConfiguration, -1),
        ("<other/>", NotAConfiguration, -1),
        ("", NotAConfiguration, 0),
        ("free text", NotAConfiguration, -1),
    ];
    for (text, kind, offset) in rows {
        let error = read_xml("t", text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        if offset >= 0 {
            assert_eq!(
                error.offset(),
                u64::try_from(offset).ok(),
                "{text}: {error}"
            );
        }
        assert_eq!(error.file(), Some("t"));
    }
    // In UTF-16 the same fault lies twice as far, behind the mark.
    let bytes = utf16("<configuration>&other;</configuration>", u16::to_le_bytes);
    let error = read_xml("t", &bytes).unwrap_err();
    assert_eq!(error.offset(), Some(2 + 2 * open.len() as u64));
}

#[test]
fn half_a_character_is_refused() {
    let mut bytes = utf16("<configuration/>", u16::to_le_bytes);
    bytes.extend([0x3d, 0xd8]);
    assert_eq!(read_xml("t", &bytes).unwrap_err().offset(), Some(34));
    bytes.pop();
    assert!(read_xml("t", &bytes).is_err());
    assert!(read_xml("t", b"<configuration>\xff</configuration>").is_err());
}

#[test]
fn depth_and_number_are_bounded() {
    let mut deep = "<configuration>".to_owned();
    deep.push_str(&"<a>".repeat(100_000));
    let error = read_xml("t", deep.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Unsupported);
    let wide = format!("<configuration>{}</configuration>", "<a/>".repeat(300_000));
    let error = read_xml("t", wide.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Unsupported);
    let error = read_xml("t", &vec![b' '; (16 << 20) + 1]).unwrap_err();
    assert_ne!(error.kind(), ConfigErrorKind::Corrupt);
}
