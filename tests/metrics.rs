//! Metrics as others read them: promtool finds nothing to say, and the dashboard and docs/metrics.md name what there is.

use crate::support::client;
use crate::support::stage::tiktok::{BEST, PAGES};
use crate::support::stage::{Fault, Reply};
use crate::support::world::{World, empty_page, fresh_id, post, token};
use serde_json::{Value, json};
use sluice::admission::new_key;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/sluice.json");
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");

/// What the dashboard does not draw, as docs/metrics.md says.
const UNDRAWN: [&str; 3] = ["sluice_egress_under_way", "process_threads", "process_virtual_memory_bytes"];

/// What Prometheus itself adds to each sample.
const ADDED: [&str; 2] = ["instance", "job"];

/// The metrics of a server that has extracted, streamed, failed, resumed, renewed and refused.
fn metrics_after_work() -> String {
    let (key, line) = new_key("alice").unwrap();
    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(keys.path(), line).unwrap();
    let keys = keys.path().to_str().unwrap();
    let world = World::with(&[("API_KEYS_FILE", keys), ("MAX_REDIRECTS", "1")]);
    let video = post().size(70_000).install(&world.stage);
    let bearer = format!("Bearer {key}");
    let extract = |page: &str, bearer: &str| {
        let body = json!({"url": page}).to_string();
        client::request("POST", &world.server.url("/extract"), &[("Authorization", bearer)], body.as_bytes())
    };
    let extraction = extract(video.page_url(), &bearer);
    assert_eq!(extraction.status, 200, "{}", extraction.text());
    assert_eq!(extract(video.page_url(), "Bearer nonsense").status, 401);
    assert_eq!(extract(&empty_page(&world.stage), &bearer).status, 400);

    let circle = format!("/@sluice/video/{}", fresh_id());
    world.stage.play(PAGES, &circle, Reply::redirect(302, &circle));
    assert_eq!(extract(&format!("https://{PAGES}{circle}"), &bearer).status, 502);

    let path = format!("/stream?data={}", token(&extraction.json(), BEST));
    video.play(&world.stage, BEST, |reply| reply.faults([Some(Fault::Cut { after: 30_000 })]));
    assert_eq!(world.get(&path).body.len(), 70_000);
    // It is had again from the page, which has no other.
    video.play(&world.stage, BEST, |reply| reply.fault(Fault::Status(403)));
    assert_eq!(world.get(&path).status, 502);
    world.wait_for_no_stream();
    world.get("/metrics").text()
}

/// Runs promtool on a text, and gives what it says.
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

/// The values of each label.
type Labels = BTreeMap<String, BTreeSet<String>>;

/// Samples by their names.
fn samples(text: &str) -> BTreeMap<String, Labels> {
    let mut samples: BTreeMap<String, Labels> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let known = samples.entry(name.to_owned()).or_default();
        for (label, value) in pairs(labels.strip_suffix('}').unwrap()) {
            known.entry(label.trim_end_matches('=').to_owned()).or_default().insert(value);
        }
    }
    samples
}

/// The pairs of a sample's or a selector's labels: the label with what stands before its value (`=`, `=~`), and that.
fn pairs(labels: &str) -> Vec<(String, String)> {
    let parts: Vec<_> = labels.split('"').collect();
    let label = |text: &str| text.trim_matches([',', ' ']).to_owned();
    parts.chunks_exact(2).map(|pair| (label(pair[0]), pair[1].to_owned())).collect()
}

/// Names of metrics in an expression, each with its selector's labels.
fn selectors(expression: &str) -> Vec<(String, Vec<(String, String)>)> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(begin) = ["sluice_", "process_"].iter().filter_map(|prefix| rest.find(prefix)).min() {
        rest = &rest[begin..];
        let (name, after) = rest.split_at(rest.find(|it| !is_name(it)).unwrap_or(rest.len()));
        let labels = after.strip_prefix('{').and_then(|labels| labels.split_once('}'));
        found.push((name.to_owned(), labels.map_or(Vec::new(), |(labels, _)| pairs(labels))));
        rest = after;
    }
    found
}

/// Labels that an expression groups by, and those that a legend shows.
fn named_labels(expression: &str, legend: &str) -> Vec<String> {
    let lists = expression.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
    let shown = legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    lists.flat_map(|list| list.split(',')).chain(shown).map(|label| label.trim().to_owned()).collect()
}

/// Expressions of the dashboard with their legends.
fn expressions() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    targets.map(|target| (text(&target["expr"]), text(&target["legendFormat"]))).collect()
}

/// Checks that an expression names nothing that is not there.
fn check(expression: &str, legend: &str, samples: &BTreeMap<String, Labels>) {
    let mut of_all: BTreeSet<&str> = ADDED.into();
    for (name, labels) in selectors(expression) {
        let known = samples.get(&name).unwrap_or_else(|| panic!("no {name} for {expression}"));
        of_all.extend(known.keys().map(String::as_str));
        for (matcher, value) in labels {
            let label = matcher.trim_end_matches(['=', '!', '~']);
            assert!(
                known.contains_key(label) || ADDED.contains(&label),
                "{name} has no {label}: {expression}"
            );
            let is_exact = matcher == format!("{label}=");
            assert!(!is_exact || known[label].contains(&value), "no {label}={value:?}: {expression}");
        }
    }
    for label in named_labels(expression, legend) {
        assert!(of_all.contains(label.as_str()), "no {label} for {expression} {legend}");
    }
}

/// The first names of a family's samples are its own.
fn families(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn promtool_the_dashboard_and_the_page_agree_with_what_there_is() {
    let text = metrics_after_work();
    assert_eq!(promtool(&["check", "metrics"], &text), "");
    let samples = samples(&text);
    let expressions = expressions();
    for (expression, legend) in &expressions {
        check(expression, legend, &samples);
    }
    let rules: Vec<_> = expressions
        .iter()
        .enumerate()
        .map(|(number, (expression, _))| {
            let expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
            json!({"record": format!("dashboard:{number}"), "expr": expression})
        })
        .collect();
    // JSON is YAML, too.
    let rules = json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(rules.as_bytes()).unwrap();
    let said = promtool(&["check", "rules", file.path().to_str().unwrap()], "");
    assert!(said.contains(&format!("SUCCESS: {} rules found", expressions.len())), "{said}");

    let page = std::fs::read_to_string(TABLE).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<_> = rows
        .flat_map(|row| row.split(" | ").next().unwrap().split('`'))
        .filter(|name| name.starts_with("sluice_") || name.starts_with("process_"))
        .collect();
    assert_eq!(told, families(&text), "docs/metrics.md, and what there is");
    let drawn: BTreeSet<_> =
        expressions.iter().flat_map(|(expression, _)| selectors(expression)).map(|(name, _)| name).collect();
    // A histogram is drawn by its buckets.
    let is_drawn = |family: &str| drawn.contains(family) || drawn.contains(&format!("{family}_bucket"));
    let undrawn: BTreeSet<_> = families(&text).into_iter().filter(|family| !is_drawn(family)).collect();
    assert_eq!(undrawn, UNDRAWN.into(), "what {DASHBOARD} does not draw");
}

/// What is wrong is found.
#[test]
fn names_that_are_not_there_are_found() {
    let samples = samples("sluice_a_total{b=\"c\"} 1\n");
    let fails = |expression: &str, legend: &str| {
        std::panic::catch_unwind(|| check(expression, legend, &samples)).is_err()
    };
    let right = "sum by (b) (rate(sluice_a_total{b=\"c\",instance=~\"$instance\"}[5m]))";
    assert!(!fails(right, "{{b}}"));
    for (from, to) in
        [("sluice_a_total", "sluice_a"), ("{b=", "{x="), ("\"c\"", "\"d\""), ("by (b)", "by (x)")]
    {
        assert!(fails(&right.replace(from, to), ""), "{from} → {to}");
    }
    assert!(fails(right, "{{x}}"));
}
