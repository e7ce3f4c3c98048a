//! The fixed newstyle handshake (section "Fixed newstyle negotiation").

use std::io::{self, Read, Write};

use super::READ_BYTES_MAX;
use crate::export::{Export, find};
use crate::protocol::{
    CLIENT_FIXED_NEWSTYLE, CLIENT_NO_ZEROES, Fields, OptionKind, OptionReply, OptionRequest,
    SERVER_GREETING, export_flags, option_reply, read_u32,
};

/// Options after which a client is taken for one that wants nothing.
const OPTIONS_MAX: usize = 256;
const CONTEXT: &str = "base:allocation";
/// The context's number in replies; listings have none.
const CONTEXT_ID: u32 = 1;
/// Kinds of information (option INFO).
const INFO_EXPORT: u16 = 0;
const INFO_NAME: u16 = 1;
const INFO_DESCRIPTION: u16 = 2;
const INFO_BLOCK_SIZE: u16 = 3;

/// What a client has chosen.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) export: Export,
    /// Replies come in chunks.
    pub(crate) structured: bool,
    /// `base:allocation` was chosen for this export.
    pub(crate) block_status: bool,
}

/// Talks until the client has chosen an export. `None`: it left, or broke the rules.
pub(crate) fn handshake(
    from: &mut dyn Read,
    to: &mut dyn Write,
    exports: &[Export],
) -> io::Result<Option<Session>> {
    to.write_all(&SERVER_GREETING)?;
    let flags = read_u32(from)?;
    if flags & !(CLIENT_FIXED_NEWSTYLE | CLIENT_NO_ZEROES) != 0 {
        // The protocol has the server leave, because neither knows what the other means.
        return Ok(None);
    }
    let mut negotiation = Negotiation {
        to,
        exports,
        no_zeroes: flags & CLIENT_NO_ZEROES != 0,
        structured: false,
        context_of: None,
    };
    for _ in 0..OPTIONS_MAX {
        let option = OptionRequest::read(from)?;
        match negotiation.answer(&option)? {
            Step::Next => {}
            Step::Leave => break,
            Step::Transmit(session) => return Ok(Some(session)),
        }
    }
    Ok(None)
}

enum Step {
    Next,
    Leave,
    Transmit(Session),
}

struct Negotiation<'a> {
    to: &'a mut dyn Write,
    exports: &'a [Export],
    no_zeroes: bool,
    structured: bool,
    /// The export for which `base:allocation` was chosen.
    context_of: Option<String>,
}

impl<'a> Negotiation<'a> {
    fn answer(&mut self, option: &OptionRequest) -> io::Result<Step> {
        let Some(data) = &option.data else {
            if option.kind == OptionKind::ExportName {
                return Ok(Step::Leave);
            }
            return self.refuse(option, OptionReply::TooBig, "too much data for an option");
        };
        match option.kind {
            OptionKind::ExportName => self.export_name(data),
            OptionKind::Abort => {
                // The client may be gone already.
                drop(self.reply(option, OptionReply::Acknowledged, &[]));
                Ok(Step::Leave)
            }
            OptionKind::List if data.is_empty() => self.list(option),
            OptionKind::StructuredReply if data.is_empty() => {
                self.structured = true;
                self.reply(option, OptionReply::Acknowledged, &[])?;
                Ok(Step::Next)
            }
            OptionKind::List | OptionKind::StructuredReply => {
                self.refuse(option, OptionReply::Invalid, "this option takes no data")
            }
            OptionKind::Info | OptionKind::Go => self.info(option, data),
            OptionKind::ListMetaContext | OptionKind::SetMetaContext => {
                self.meta_context(option, data)
            }
            OptionKind::Other => self.refuse(
                option,
                OptionReply::Unsupported,
                "this option is not offered",
            ),
        }
    }

    fn reply(&mut self, option: &OptionRequest, reply: OptionReply, data: &[u8]) -> io::Result<()> {
        self.to.write_all(&option_reply(option.number, reply, data))
    }

    fn refuse(
        &mut self,
        option: &OptionRequest,
        reply: OptionReply,
        why: &str,
    ) -> io::Result<Step> {
        self.reply(option, reply, why.as_bytes())?;
        Ok(Step::Next)
    }

    fn session(&self, export: &Export) -> Session {
        Session {
            export: export.clone(),
            structured: self.structured,
            block_status: self.context_of.as_deref() == Some(export.name()),
        }
    }

    fn size_and_flags(&self, export: &Export) -> Vec<u8> {
        let size = export.device().size_bytes().to_be_bytes();
        [&size[..], &export_flags(self.structured).to_be_bytes()].concat()
    }

    /// The old way to choose an export: there is no way to say no but to leave.
    fn export_name(&mut self, data: &[u8]) -> io::Result<Step> {
        let name = std::str::from_utf8(data).ok();
        let Some(export) = name.and_then(|name| find(self.exports, name)) else {
            return Ok(Step::Leave);
        };
        let mut bytes = self.size_and_flags(export);
        if !self.no_zeroes {
            bytes.resize(bytes.len() + 124, 0);
        }
        self.to.write_all(&bytes)?;
        Ok(Step::Transmit(self.session(export)))
    }

    fn list(&mut self, option: &OptionRequest) -> io::Result<Step> {
        for export in self.exports {
            // At most 4096.
            let len = u32::try_from(export.name().len()).unwrap_or(0);
            let data = [
                &len.to_be_bytes()[..],
                export.name().as_bytes(),
                export.description().as_bytes(),
            ];
            self.reply(option, OptionReply::Server, &data.concat())?;
        }
        self.reply(option, OptionReply::Acknowledged, &[])?;
        Ok(Step::Next)
    }

    fn info(&mut self, option: &OptionRequest, data: &[u8]) -> io::Result<Step> {
        let Some((name, wanted)) = info_fields(data) else {
            return self.refuse(
                option,
                OptionReply::Invalid,
                "the option's data makes no sense",
            );
        };
        let Some(export) = find(self.exports, name) else {
            return self.refuse(
                option,
                OptionReply::Unknown,
                "there is no export of this name",
            );
        };
        let information = |kind: u16, bytes: &[u8]| [&kind.to_be_bytes()[..], bytes].concat();
        let mut all = vec![information(INFO_EXPORT, &self.size_and_flags(export))];
        if wanted.contains(&INFO_NAME) {
            all.push(information(INFO_NAME, export.name().as_bytes()));
        }
        if wanted.contains(&INFO_DESCRIPTION) && !export.description().is_empty() {
            all.push(information(
                INFO_DESCRIPTION,
                export.description().as_bytes(),
            ));
        }
        if wanted.contains(&INFO_BLOCK_SIZE) {
            let sizes = [1, export.device().physical_sector_bytes(), READ_BYTES_MAX];
            let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_be_bytes()).collect();
            all.push(information(INFO_BLOCK_SIZE, &sizes));
        }
        for information in all {
            self.reply(option, OptionReply::Info, &information)?;
        }
        self.reply(option, OptionReply::Acknowledged, &[])?;
        if option.kind == OptionKind::Go {
            return Ok(Step::Transmit(self.session(export)));
        }
        Ok(Step::Next)
    }

    fn meta_context(&mut self, option: &OptionRequest, data: &[u8]) -> io::Result<Step> {
        let set = option.kind == OptionKind::SetMetaContext;
        if set {
            // Whatever comes of it, an earlier choice is void.
            self.context_of = None;
        }
        if !self.structured {
            let why = "metadata contexts need structured replies";
            return self.refuse(option, OptionReply::Invalid, why);
        }
        let Some((name, queries)) = context_fields(data) else {
            return self.refuse(
                option,
                OptionReply::Invalid,
                "the option's data makes no sense",
            );
        };
        let Some(export) = find(self.exports, name) else {
            return self.refuse(
                option,
                OptionReply::Unknown,
                "there is no export of this name",
            );
        };
        let everything = !set && (queries.is_empty() || queries.contains(&"base:"));
        if everything || queries.contains(&CONTEXT) {
            let id = if set { CONTEXT_ID } else { 0 };
            let context = [&id.to_be_bytes()[..], CONTEXT.as_bytes()].concat();
            self.reply(option, OptionReply::MetaContext, &context)?;
            if set {
                self.context_of = Some(export.name().to_owned());
            }
        }
        self.reply(option, OptionReply::Acknowledged, &[])?;
        Ok(Step::Next)
    }
}

/// Takes the data of INFO and GO apart: a name, and the kinds of information that are wanted.
fn info_fields(data: &[u8]) -> Option<(&str, Vec<u16>)> {
    let mut fields = Fields(data);
    let name = fields.string()?;
    let count = fields.u16()?;
    // Ends where the data does.
    let wanted = (0..count).map(|_| fields.u16()).collect::<Option<_>>()?;
    fields.is_empty().then_some((name, wanted))
}

/// Takes the data of the metadata options apart: a name, and queries.
fn context_fields(data: &[u8]) -> Option<(&str, Vec<&str>)> {
    let mut fields = Fields(data);
    let name = fields.string()?;
    let count = fields.u32()?;
    let mut queries = Vec::new();
    for _ in 0..count {
        // Ends where the data does: each takes four bytes at least.
        queries.push(fields.string()?);
    }
    fields.is_empty().then_some((name, queries))
}
