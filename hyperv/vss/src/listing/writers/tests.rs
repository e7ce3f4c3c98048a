use proptest::prelude::*;

use super::*;
use crate::HYPERV_WRITER;

/// As an English Windows Server 2022 prints it, shortened.
const ENGLISH: &str = "\
vssadmin 1.1 - Volume Shadow Copy Service administrative command-line tool\r
(C) Copyright 2001-2013 Microsoft Corp.\r
\r
Writer name: 'Task Scheduler Writer'\r
   Writer Id: {d61d61c8-d73a-4eee-8cdd-f6f9786b7124}\r
   Writer Instance Id: {1bddd48e-5052-49db-9b07-b96f96727e6b}\r
   State: [1] Stable\r
   Last error: No error\r
\r
Writer name: 'Microsoft Hyper-V VSS Writer'\r
   Writer Id: {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}\r
   Writer Instance Id: {6f0ee4a2-8d2c-4a5c-9c5e-1a0a6d3a7c11}\r
   State: [8] Failed\r
   Last error: Retryable error\r
\r
Writer name: 'WMI Writer'\r
   Writer Id: {a6ad56c2-b509-4e6c-bb19-49d8f43532f0}\r
   Writer Instance Id: {0f9a2b5e-3a44-4d0a-8d7f-0b4a2f1c9e55}\r
   State: [5] Waiting for completion\r
   Last error: No error\r
";

/// The same words as a German and as a Japanese Windows has them.
const GERMAN: &str = "\
vssadmin 1.1 - Verwaltungsbefehlszeilenprogramm des Volumeschattenkopie-Dienstes
(C) Copyright 2001-2013 Microsoft Corp.

Verfassername: \"Microsoft Hyper-V VSS Writer\"
   Verfasserkennung: {66841CD4-6DED-4F4B-8F17-FD23F8DDC3DE}
   Verfasserinstanzkennung: {6f0ee4a2-8d2c-4a5c-9c5e-1a0a6d3a7c11}
   Status: [1] Stabil
   Letzter Fehler: Kein Fehler
";
const JAPANESE: &str = "\
ライター名: 'Microsoft Hyper-V VSS Writer'
   ライター Id: {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}
   ライター インスタンス Id: {6f0ee4a2-8d2c-4a5c-9c5e-1a0a6d3a7c11}
   状態： [11] 失敗
   最後のエラー： エラーなし
";

#[test]
fn each_writer_of_a_listing_is_read() {
    let writers = parse_writers(ENGLISH);
    let names: Vec<_> = writers.iter().map(|w| w.name.as_deref().unwrap()).collect();
    assert_eq!(
        names,
        [
            "Task Scheduler Writer",
            "Microsoft Hyper-V VSS Writer",
            "WMI Writer"
        ]
    );
    assert!(writers.iter().all(|writer| writer.instance.is_some()));
    let states: Vec<_> = writers.iter().map(ListedWriter::state).collect();
    assert_eq!(
        states,
        [
            WriterState::Stable,
            WriterState::FailedAtPrepareSnapshot,
            WriterState::WaitingForBackupComplete
        ]
    );
    let well: Vec<_> = writers.iter().map(ListedWriter::is_well).collect();
    assert_eq!(well, [true, false, true]);
    let errors: Vec<_> = writers.iter().map(ListedWriter::known_last_error).collect();
    let retryable = LastError::Of(VssErrorKind::Retryable);
    assert_eq!(errors, [LastError::None, retryable, LastError::None]);
}

#[test]
fn a_writer_is_found_by_its_guid_in_any_language() {
    for (text, is_well, last_error) in [
        (GERMAN, true, "Kein Fehler"),
        (JAPANESE, false, "エラーなし"),
    ] {
        let writers = parse_writers(text);
        let [writer] = writers.as_slice() else {
            panic!("one writer, not {writers:?}");
        };
        assert_eq!(writer.id, HYPERV_WRITER);
        assert_eq!(writer.name.as_deref(), Some("Microsoft Hyper-V VSS Writer"));
        assert_eq!(writer.is_well(), is_well, "{writer:?}");
        assert_eq!(writer.last_error.as_deref(), Some(last_error));
        assert_eq!(writer.known_last_error(), LastError::Unknown);
    }
}

#[test]
fn a_good_state_with_a_last_error_is_not_well() {
    let text = ENGLISH.replace("[8] Failed", "[1] Stable");
    let writer = parse_writers(&text).swap_remove(1);
    assert_eq!(writer.state(), WriterState::Stable);
    assert!(!writer.is_well());
}

#[test]
fn what_is_missing_is_left_out_and_the_next_writer_is_whole() {
    let text = "\
Writer name: 'A'
   Writer Id: {d61d61c8-d73a-4eee-8cdd-f6f9786b7124}
   State: [1] Stable
Writer name: 'B'
   Writer Id: {a6ad56c2-b509-4e6c-bb19-49d8f43532f0}
   Writer Instance Id: {0f9a2b5e-3a44-4d0a-8d7f-0b4a2f1c9e55}
";
    let writers = parse_writers(text);
    assert_eq!(writers.len(), 2, "{writers:?}");
    assert_eq!(
        (writers[0].instance, writers[0].state_number),
        (None, Some(1))
    );
    assert_eq!(writers[1].state_number, None);
    assert!(!writers[1].is_well());
    assert!(parse_writers("").is_empty());
    assert!(parse_writers("Error: You don't have the correct permissions").is_empty());
}

#[test]
fn a_listing_ends_somewhere() {
    let line = "{a6ad56c2-b509-4e6c-bb19-49d8f43532f0} [1] ";
    assert_eq!(parse_writers(&line.repeat(5000)).len(), ENTRIES_MAX);
    let lines = format!("{line}\n").repeat(5000);
    assert_eq!(parse_writers(&lines).len(), ENTRIES_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_taken(text in "(?s).{0,400}") {
        parse_writers(&text);
    }

    #[test]
    fn pieces_of_a_listing_in_any_order_are_taken(
        pieces in prop::collection::vec(0..12_usize, 0..60),
        cut in 0..2000_usize,
    ) {
        const PIECES: [&str; 12] = [
            "{66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}", "{", "}", "[5]", "[99999]", "[", "]", ":",
            "：", "\n", "'名'", "Writer name: ",
        ];
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        let cut = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
        let whole = parse_writers(&text);
        prop_assert!(whole.len() <= text.matches("66841cd4").count());
        prop_assert!(parse_writers(&text[..cut]).len() <= whole.len());
    }

    #[test]
    fn what_is_printed_comes_back(
        writers in prop::collection::vec((any::<u128>(), any::<u128>(), 0..16_u32, "[a-zé]{1,12}"), 0..8)
    ) {
        let mut text = String::from("vssadmin 1.1: x\n\n");
        for (id, instance, state, words) in &writers {
            let (id, instance) = (Uuid::from_u128(*id), Uuid::from_u128(*instance));
            text += &format!("{words}: '{words}'\n {words}: {{{id}}}\n {words}: {{{instance}}}\n");
            text += &format!(" {words}: [{state}] {words}\n {words}: {words}\n\n");
        }
        let read = parse_writers(&text);
        prop_assert_eq!(read.len(), writers.len());
        for (read, (id, instance, state, words)) in read.iter().zip(&writers) {
            prop_assert_eq!(read.id, Uuid::from_u128(*id));
            prop_assert_eq!(read.instance, Some(Uuid::from_u128(*instance)));
            prop_assert_eq!(read.state_number, Some(*state));
            prop_assert_eq!(read.name.as_ref(), Some(words));
            prop_assert_eq!(read.last_error.as_ref(), Some(words));
        }
    }
}
