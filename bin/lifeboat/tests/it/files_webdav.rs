//! Restore points over WebDAV, read by clients that others wrote: curl, and Python's HTTP and XML.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, UNIX_EPOCH};

use disk_model::independent_tools::have_tool;

use crate::files::{backed_up, image_of};
use crate::running::Running;
use crate::sandbox::{Sandbox, files, noise};

/// Copies a folder of a server into one of this machine, by what PROPFIND says: names, content, times.
const COPY: &str = r#"
import email.utils, http.client, os, sys, urllib.parse, xml.etree.ElementTree as tree
url, target = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2]
server = http.client.HTTPConnection(url.netloc)
D = '{DAV:}'

def ask(method, path, headers={}):
    server.request(method, path, headers=headers)
    answer = server.getresponse()
    body = answer.read()
    if answer.status not in (200, 207):
        sys.exit('%s %s: %d %r' % (method, path, answer.status, body))
    return body

def copy(path, target):
    os.makedirs(target, exist_ok=True)
    for entry in tree.fromstring(ask('PROPFIND', path, {'Depth': '1'})).findall(D + 'response'):
        href = entry.findtext(D + 'href')
        if href == path:
            assert entry.find('.//' + D + 'collection') is not None
            continue
        assert href.startswith(path), (href, path)
        name = urllib.parse.unquote_to_bytes(href[len(path):].rstrip('/'))
        own = os.path.join(target, name)
        if entry.find('.//' + D + 'collection') is not None:
            assert href.endswith('/')
            copy(href, own)
            continue
        content = ask('GET', href)
        assert len(content) == int(entry.findtext('.//' + D + 'getcontentlength')), href
        with open(own, 'xb') as file:
            file.write(content)
        time = email.utils.parsedate_to_datetime(entry.findtext('.//' + D + 'getlastmodified'))
        os.utime(own, (0, int(time.timestamp())))

copy(url.path, target.encode())
"#;

/// A running `files serve`.
struct Served {
    running: Running,
    url: String,
}

impl Served {
    fn start(sandbox: &Sandbox, points: &[&str]) -> Self {
        let args = [&["files", "serve"], points, &["--webdav", "--json"]].concat();
        let (running, said) = Running::ready(sandbox, &args, "listening");
        let url = said["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Self { running, url }
    }

    /// Returns the address without its secret word.
    fn server(&self) -> &str {
        let word_at = self.url.trim_end_matches('/').rfind('/').unwrap();
        &self.url[..word_at]
    }

    /// Returns the path of the first point's first volume.
    fn volume(&self) -> String {
        let listed = curl(&["-X", "PROPFIND", "-H", "Depth: 1", &self.url]);
        let listed = String::from_utf8(listed.stdout).unwrap();
        let href = listed.split("<D:href>").nth(2).unwrap();
        format!("{}{}1/", self.server(), href.split('<').next().unwrap())
    }
}

fn have_clients() -> bool {
    have_tool("curl", &["--version"]) && have_tool("python3", &["--version"])
}

fn curl(arguments: &[&str]) -> Output {
    Command::new("curl")
        .args(["--silent", "--globoff", "--noproxy", "*"])
        .args(arguments)
        .output()
        .unwrap()
}

/// Returns the status of an answer.
fn status(arguments: &[&str]) -> String {
    let output = curl(&[&["-o", "/dev/null", "-w", "%{http_code}"], arguments].concat());
    String::from_utf8(output.stdout).unwrap()
}

/// Returns an answer's headers, in small letters.
fn headers(arguments: &[&str]) -> String {
    let output = curl(&[&["-o", "/dev/null", "-D", "-"], arguments].concat());
    String::from_utf8(output.stdout).unwrap().to_lowercase()
}

/// Backs up a volume whose names are all that names can be.
fn odd_names(sandbox: &Sandbox) -> bool {
    if !have_clients() || !backed_up(sandbox) {
        return false;
    }
    let tree = sandbox.path("odd");
    for (number, name) in [
        "100 % #1?.txt",
        "a&b<c>\"d'.txt",
        "Ünïcode ファイル 🙂",
        " space ",
        "back\\slash",
        "semi;colon:=+,@!*()[]{}|^`~",
        "%41%2F..",
        "ctrl\u{1}\u{7f}",
        "empty",
        "deep %/#/?/.hidden",
    ]
    .iter()
    .enumerate()
    {
        let path = tree.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, name.repeat(number * 9000)).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_600_000_000 + number as u64);
        File::open(&path).unwrap().set_modified(time).unwrap();
    }
    for number in 0..400 {
        fs::write(tree.join(format!("deep %/many-{number}")), "x").unwrap();
    }
    fs::write(tree.join("noise"), noise("dav", 3_000_000)).unwrap();
    symlink("../100 %", tree.join("link")).unwrap();
    image_of(sandbox, &tree);
    sandbox.back_up_all();
    true
}

/// Compares names, contents and times of files.
fn assert_same(original: &Path, copy: &Path) {
    let names = |folder: &Path| -> Vec<_> {
        let all = files(folder).into_iter();
        all.map(|path| path.strip_prefix(folder).unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(original), names(copy));
    for name in names(original) {
        let (one, other) = (original.join(&name), copy.join(&name));
        if one.is_symlink() {
            let target = fs::read_link(&one).unwrap();
            assert_eq!(
                fs::read_to_string(&other).unwrap(),
                target.to_str().unwrap()
            );
            continue;
        }
        assert!(
            fs::read(&one).unwrap() == fs::read(&other).unwrap(),
            "{name:?}"
        );
        let seconds = |path: &Path| {
            let time = fs::metadata(path).unwrap().modified().unwrap();
            time.duration_since(UNIX_EPOCH).unwrap().as_secs()
        };
        assert_eq!(seconds(&one), seconds(&other), "{name:?}");
    }
}

#[test]
fn a_client_of_others_copies_everything_whatever_its_name() {
    let sandbox = Sandbox::with_repository();
    if !odd_names(&sandbox) {
        return;
    }
    let served = Served::start(&sandbox, &["FILES@latest"]);
    let copy = sandbox.path("copy");
    let output = Command::new("python3")
        .args(["-c", COPY, &served.volume()])
        .arg(&copy)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    drop(fs::remove_dir(copy.join("lost+found")));
    assert_same(&sandbox.path("odd"), &copy);
    let summary = served.running.end();
    assert_eq!(summary["outcome"], "success", "{summary}");
}

#[test]
fn parts_of_files_are_given_as_they_are_asked_for() {
    let sandbox = Sandbox::with_repository();
    if !odd_names(&sandbox) {
        return;
    }
    let served = Served::start(&sandbox, &["FILES@latest"]);
    let url = format!("{}noise", served.volume());
    let whole = noise("dav", 3_000_000);
    for (range, expected) in [
        ("0-0", &whole[..1]),
        ("1234567-2345678", &whole[1_234_567..=2_345_678]),
        ("2999990-", &whole[2_999_990..]),
        ("-17", &whole[2_999_983..]),
        ("2999999-9999999", &whole[2_999_999..]),
    ] {
        assert!(curl(&["-r", range, &url]).stdout == expected, "{range}");
    }
    assert_eq!(status(&["-r", "0-9", &url]), "206");
    assert_eq!(status(&["-r", "3000000-", &url]), "416");
    let head = headers(&["-I", &url]);
    assert!(head.contains("content-length: 3000000\r\n"), "{head}");
    assert!(head.contains("accept-ranges: bytes\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/octet-stream\r\n"),
        "{head}"
    );
    let etag = head
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap();
    assert_eq!(
        status(&["-H", &format!("If-None-Match: {etag}"), &url]),
        "304"
    );
    let other = ["-r", "0-9", "-H", "If-Range: \"other\"", &url];
    assert_eq!(curl(&other).stdout.len(), whole.len());
    served.running.end();
}

#[test]
fn only_who_knows_the_address_reads_and_nobody_writes() {
    let sandbox = Sandbox::with_repository();
    if !odd_names(&sandbox) {
        return;
    }
    let served = Served::start(&sandbox, &["FILES@latest"]);
    let (volume, server) = (served.volume(), served.server());
    for method in [
        "PUT",
        "DELETE",
        "MKCOL",
        "MOVE",
        "COPY",
        "LOCK",
        "UNLOCK",
        "PROPPATCH",
        "POST",
        "PATCH",
    ] {
        assert_eq!(
            status(&["-X", method, "-d", "x", &volume]),
            "405",
            "{method}"
        );
    }
    for path in ["/", "/FILES", "/0123456789abcdef0123456789abcdef/"] {
        let url = format!("{server}{path}");
        assert_eq!(status(&[&url]), "404", "{url}");
        let listing = ["-X", "PROPFIND", "-H", "Depth: 1", &url];
        assert_eq!(status(&listing), "404", "{url}");
    }
    for above in ["../../", "%2e%2e/", "a/../../.."] {
        let url = format!("{volume}{above}");
        assert_eq!(status(&["--path-as-is", &url]), "404", "{url}");
    }
    assert_eq!(status(&["-H", "Host: rebound.example", &volume]), "421");
    assert_eq!(status(&["-H", "Host: localhost", &volume]), "200");
    for depth in ["Depth: infinity", "Depth: 2", "Depth;"] {
        let listing = ["-X", "PROPFIND", "-H", depth, &volume];
        assert_eq!(status(&listing), "403", "{depth}");
    }
    assert_eq!(
        status(&["-X", "PROPFIND", &volume]),
        "403",
        "no depth is infinite"
    );
    let nonsense = [
        "-X",
        "PROPFIND",
        "-H",
        "Depth: 0",
        "-d",
        "<nonsense",
        &volume,
    ];
    assert_eq!(status(&nonsense), "400");
    let long = format!("X: {}", "x".repeat(100_000));
    let many = ["-H", &long, "-H", &long, "-H", &long, &volume];
    assert_ne!(status(&many), "200");
    served.running.end();
}

#[test]
fn browsers_get_pages_in_which_nothing_runs() {
    let sandbox = Sandbox::with_repository();
    if !odd_names(&sandbox) {
        return;
    }
    let served = Served::start(&sandbox, &["--all"]);
    let head = headers(&[&served.url]);
    assert!(
        head.contains("content-security-policy: default-src 'none';"),
        "{head}"
    );
    assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    let latest = format!("{}FILES/latest/1/", served.url);
    let page = String::from_utf8(curl(&[&latest]).stdout).unwrap();
    assert!(page.contains("a&amp;b&lt;c&gt;"), "{page}");
    assert!(page.contains("/100%20%25%20%231%3F.txt\""), "{page}");
    let text = format!("{}FILES/latest/WHAT-THIS-IS.txt", served.url);
    assert!(headers(&[&text]).contains("content-type: text/plain"));
    let missing = format!("{}FILES/latest/1/missing/more", served.url);
    assert_eq!(status(&[&missing]), "404");
    let options = headers(&["-X", "OPTIONS", &served.url]);
    assert!(options.contains("dav: 1\r\n"), "{options}");
    served.running.end();
}

#[test]
fn two_serve_at_once_and_letters_are_for_windows() {
    let sandbox = Sandbox::with_repository();
    sandbox.fat_volume("Fat.raw");
    sandbox.back_up_all();
    let one = Served::start(&sandbox, &["Fat@latest"]);
    let other = Served::start(&sandbox, &["Fat@latest"]);
    assert_ne!(one.server(), other.server());
    let port = one.server().rsplit(':').next().unwrap().to_owned();
    let taken = ["files", "serve", "Fat@latest", "--webdav", "--port", &port];
    let said = sandbox.fails(1, &taken);
    assert!(said.contains(&format!("port {port}")), "{said}");
    one.running.end();
    other.running.end();
    let said = sandbox.fails(2, &["files", "serve", "Fat@latest", "--webdav", "--drive"]);
    assert!(said.contains("Windows alone"), "{said}");
    sandbox.fails(2, &["files", "serve", "Fat@latest"]);
}
