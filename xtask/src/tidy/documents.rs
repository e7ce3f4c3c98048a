//! Documents: links lead somewhere, and every format page is on the map.

use super::finding::{Finding, Weight};
use super::project::{Project, ProjectFile};

/// The page from which every format page is reached.
const MAP: &str = "ARCHITECTURE.md";
const FORMAT_PAGES: &str = "docs/format/";

/// Checks every Markdown file.
pub(crate) fn check(project: &Project) -> Vec<Finding> {
    let pages = project.files.iter().filter(|file| file.has_extension("md"));
    let mut findings: Vec<Finding> = pages.flat_map(|page| broken_links(project, page)).collect();
    findings.extend(unlinked_formats(project));
    findings
}

/// A link of a page, as written.
struct Link<'a> {
    line: usize,
    target: &'a str,
}

/// The links `[text](target)` of a page, but not those in code.
fn links(page: &ProjectFile) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    let mut fenced = false;
    for (index, line) in page.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for (start, _) in line.match_indices("](") {
            let in_code = line[..start].matches('`').count() % 2 == 1;
            let Some(length) = line[start + 2..].find(')').filter(|_| !in_code) else {
                continue;
            };
            let target = line[start + 2..start + 2 + length]
                .split(' ')
                .next()
                .unwrap_or_default();
            links.push(Link {
                line: index + 1,
                target,
            });
        }
    }
    links
}

/// The path and the heading that `target` on `page` leads to; `None` for another site.
fn resolve<'a>(page: &ProjectFile, target: &'a str) -> Option<(String, Option<&'a str>)> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = match target.split_once('#') {
        Some((path, heading)) => (path, Some(heading)),
        None => (target, None),
    };
    if path.is_empty() {
        return Some((page.path.clone(), heading));
    }
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some((parts.join("/"), heading))
}

/// The anchor that a heading gets: lower case, spaces to hyphens, marks dropped.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| {
        if c == ' ' {
            '-'
        } else {
            c.to_ascii_lowercase()
        }
    })
    .collect()
}

fn has_heading(page: &ProjectFile, wanted: &str) -> bool {
    let headings = page.text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#')))
        .any(|found| found == wanted)
}

fn broken_links(project: &Project, page: &ProjectFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for link in links(page) {
        let Some((path, heading)) = resolve(page, link.target) else {
            continue;
        };
        let folder = format!("{path}/");
        let file = project.file(&path);
        let exists = file.is_some()
            || path.is_empty()
            || project
                .files
                .iter()
                .any(|file| file.path.starts_with(&folder));
        let what = if !exists {
            format!("`{}` leads nowhere", link.target)
        } else if let (Some(file), Some(heading)) =
            (file.filter(|f| f.has_extension("md")), heading)
            && !has_heading(file, heading)
        {
            format!("{path} has no heading `#{heading}`")
        } else {
            continue;
        };
        findings.push(Finding {
            rule: "broken-link",
            weight: Weight::Failure,
            path: page.path.clone(),
            line: link.line,
            what,
            why: "a reader who follows a link wants to arrive",
            remedy: "correct the link, or write the page",
        });
    }
    findings
}

fn unlinked_formats(project: &Project) -> Vec<Finding> {
    let linked: Vec<String> = project.file(MAP).map_or_else(Vec::new, |map| {
        links(map)
            .iter()
            .filter_map(|link| resolve(map, link.target))
            .map(|(path, _)| path)
            .collect()
    });
    let pages = project
        .files
        .iter()
        .filter(|file| file.path.starts_with(FORMAT_PAGES) && file.has_extension("md"));
    pages
        .filter(|page| !linked.contains(&page.path))
        .map(|page| Finding {
            rule: "unlinked-format",
            weight: Weight::Failure,
            path: page.path.clone(),
            line: 1,
            what: format!("{MAP} does not link this page"),
            why: "a format that nobody finds is not documented",
            remedy: "link it from the map",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::project::fake;
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(path, text)| fake::file(path, text))
            .collect();
        check(&fake::files(files))
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn a_link_to_a_file_folder_or_heading_that_exists_passes() {
        let links = "[a](docs/a.md) [b](./docs) [c](docs/a.md#the-first--part) [d](https://a.b/c)";
        let pages = [
            ("README.md", links),
            ("docs/a.md", "[up](../README.md)\n## The first / part\n"),
        ];
        assert!(found(&pages).is_empty());
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert_eq!(
            found(&[("docs/a.md", "\n[a](b.md)\n")]),
            ["`b.md` leads nowhere"]
        );
        assert_eq!(
            found(&[("a.md", "[a](#there)\n")]),
            ["a.md has no heading `#there`"]
        );
        assert_eq!(
            found(&[("a.md", "[a](../outside.md)\n")]),
            ["`../outside.md` leads nowhere"]
        );
    }

    #[test]
    fn code_is_no_link() {
        assert!(found(&[("a.md", "```\n[a](b.md)\n```\n`[a](b.md)`\n")]).is_empty());
    }

    #[test]
    fn every_format_page_is_on_the_map() {
        let page = ("docs/format/repository.md", "");
        assert_eq!(
            found(&[
                page,
                ("ARCHITECTURE.md", "[a](docs/format/repository.md#x)")
            ])
            .len(),
            1
        );
        assert!(found(&[page, ("ARCHITECTURE.md", "[a](docs/format/repository.md)")]).is_empty());
        assert_eq!(found(&[page]), ["ARCHITECTURE.md does not link this page"]);
    }
}
