//! Letters of short names.

/// The upper half of code page 437, which the first PCs had: what Linux takes FAT's names to be in,
/// and what they most likely are where the guest speaks English. FAT does not say which it was, so a
/// letter that is not ASCII may be shown as another; only names that have no long one are concerned.
pub(super) const CODE_PAGE: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»\
    ░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
