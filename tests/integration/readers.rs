//! Tables read back by readers that are not ours: Python's own `csv` and `json`, pyarrow, DuckDB, polars and pandas.
//!
//! The documents are here; what each cell has to be is in `readers/expected.py`, worked out by hand. Each reader is a script
//! beside it. They run in a Python environment that the first test makes and the next runs keep.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::indices::Index;

use crate::odd_texts::HALF;
use crate::support::documents::{
    decision, decision_definition, decision_report, definition, input, instance, output,
    raw_report, report, selection, with,
};
use crate::support::{Optimize, Service, TOKEN};

mod recipes;

/// Where the scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/readers");
/// What they need, with versions.
const REQUIREMENTS: &str = include_str!("readers/requirements.txt");

/// A Python that has the packages. It is made by whoever comes first, in a folder below cargo's own, and again when the packages
/// change; others wait for it, in other processes too.
fn python() -> &'static Path {
    static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
        let digest = Sha256::digest(REQUIREMENTS);
        let id: String = digest[..6].iter().map(|b| format!("{b:02x}")).collect();
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(base).unwrap();
        let lock = File::create(base.join("readers.lock")).unwrap();
        lock.lock().unwrap();
        let folder = base.join(format!("readers-{id}"));
        // On some systems `bin/python` is a link to the one that made it, so it has to be looked for by this name.
        let python = folder.join("bin/python");
        // The last thing that is written: without it an environment is not whole.
        let whole = folder.join("whole");
        if !whole.exists() {
            let _ = fs::remove_dir_all(&folder);
            let missing = "the readers need Python 3.11 or newer with `venv`, as `python3` on the PATH \
                           (Debian and Ubuntu: apt-get install python3 python3-venv)";
            run(
                Command::new("python3").args(["-m", "venv"]).arg(&folder),
                missing,
            );
            let index = "the readers need the packages of tests/integration/readers/requirements.txt, \
                         from PyPI or from what pip is told by its settings (PIP_INDEX_URL)";
            let install = ["-m", "pip", "install", "--quiet", "--requirement"];
            let requirements = Path::new(SCRIPTS).join("requirements.txt");
            run(Command::new(&python).args(install).arg(requirements), index);
            File::create(whole).unwrap();
        }
        python
    });
    &PYTHON
}

/// Runs a command that must succeed; `hint` says what it takes.
#[track_caller]
fn run(command: &mut Command, hint: &str) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{hint}\n{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (shown, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "{hint}\n{command:?}\n{shown}\n{errors}"
    );
    shown
}

/// A Python that runs a script in a zone that is not UTC: what a reader makes of instants must not depend on it.
fn script(file: &str) -> Command {
    let mut command = Command::new(python());
    command
        .arg(Path::new(SCRIPTS).join(file))
        .env("TZ", "America/New_York")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Lets a reader read every table, and compare each cell.
fn read_all_with(file: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (name, body) in TABLES.iter() {
        fs::write(folder.path().join(name), body).unwrap();
    }
    run(
        script(file).arg(folder.path()),
        "a reader reads something else",
    );
}

#[test]
fn pythons_own_modules_read_every_cell() {
    read_all_with("read_python.py");
}

#[test]
fn pyarrow_reads_every_cell() {
    read_all_with("read_pyarrow.py");
}

#[test]
fn duckdb_reads_every_cell() {
    read_all_with("read_duckdb.py");
}

#[test]
fn polars_reads_every_cell() {
    read_all_with("read_polars.py");
}

#[test]
fn pandas_reads_every_cell() {
    read_all_with("read_pandas.py");
}

/// Every table in every format, as files.
static TABLES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let (_optimize, service) = serve();
    let mut files = Vec::new();
    for (report, table) in [
        ("raw", "instances"),
        ("raw", "flowNodes"),
        ("raw", "variables"),
        ("raw", "incidents"),
        ("decisions", "instances"),
        ("decisions", "inputs"),
        ("decisions", "outputs"),
        ("wide", "instances"),
        ("cut", "instances"),
        ("nothing", "instances"),
        ("number", "result"),
        ("map", "result"),
        ("hyper", "result"),
        ("tasks", "result"),
    ] {
        let columns = match report {
            // The rest of these is in other tables.
            "cut" => "processInstanceId,businessKey,variable:*,variables:rest",
            "wide" => "processInstanceId,variable:*,variables:rest",
            _ => "*",
        };
        for format in ["csv", "ndjson", "parquet", "arrow"] {
            let query = format!("table={table}&columns={columns}");
            let body = fetch(&service, report, format, &query, None);
            files.push((format!("{report}.{table}.{format}"), body));
        }
    }
    for format in ["csv", "ndjson", "parquet", "arrow"] {
        let columns = "columns=processInstanceId,startDate,endDate";
        let body = fetch(&service, "raw", format, columns, Some("America/New_York"));
        files.push((format!("raw.zoned.{format}"), body));
    }
    files
});

fn fetch(
    service: &Service,
    report: &str,
    format: &str,
    query: &str,
    zone: Option<&str>,
) -> Vec<u8> {
    let target = format!("/api/public/export/report/{report}/result/{format}?{query}");
    let token = format!("Bearer {TOKEN}");
    let mut headers = vec![("Authorization", token.as_str())];
    headers.extend(zone.map(|zone| ("X-Optimize-Client-Timezone", zone)));
    let answer = service.request("GET", &target, &headers);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{report}: {text}");
    assert!(answer.is_complete, "{report}");
    answer.body
}

fn variable(name: &str, kind: &str, value: Value) -> Value {
    json!({"id": name, "name": name, "type": kind, "value": value, "version": 1})
}

fn serve() -> (Optimize, Service) {
    let optimize = Optimize::install();
    store_processes(&optimize);
    store_decisions(&optimize);
    store_results(&optimize);
    let service = optimize.serve();
    (optimize, service)
}

/// Three instances whose cells are hard to write, or hard to read.
fn store_processes(optimize: &Optimize) {
    let of = |id: &str, changes: Value| instance("order", id, changes);
    let flow_nodes = json!([
        {"flowNodeInstanceId": "f1", "flowNodeId": "start", "flowNodeType": "startEvent", "totalDurationInMs": 0,
         "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:00:00.000+0100", "canceled": false},
        {"flowNodeInstanceId": "f2", "flowNodeId": "pack", "flowNodeType": "userTask", "totalDurationInMs": 40_000,
         "idleDurationInMs": 30_000, "workDurationInMs": 10_000, "canceled": true, "userTaskInstanceId": "u2",
         "assignee": "änn", "candidateGroups": ["a,b", "\"c\"", "line\nend"], "dueDate": "2024-03-02T10:00:00.000+0000",
         "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:00:40.000+0100"},
    ]);
    let incidents = json!([
        {"id": "n1", "incidentStatus": "open", "incidentType": "failedJob", "activityId": "pack",
         "incidentMessage": "no, \"paper\"\r\n\tat X", "createTime": "2024-03-01T11:00:00.000+0100", "endTime": null,
         "durationInMs": null},
        {"id": "n2", "incidentStatus": "resolved", "incidentType": "failedJob", "activityId": "pack",
         "incidentMessage": null, "createTime": "2024-03-01T11:00:00.000+0100",
         "endTime": "2024-03-01T11:00:01.000+0100", "durationInMs": 1_000},
    ]);
    let plain = json!([
        variable("double", "Double", json!(["0.30000000000000004"])),
        variable("empty", "String", json!([""])),
        variable("flag", "Boolean", json!(["true"])),
        variable("formula", "String", json!(["=1+1"])),
        variable("list", "Long", json!(["1", "2"])),
        variable("long", "Long", json!(["9007199254740993"])),
        variable("mixed", "Short", json!(["7"])),
        variable("nothing", "String", Value::Null),
        variable("object", "Object", json!(["{\"x\": [1, \"ü\"]}"])),
        variable("short", "Short", json!(["-7"])),
        variable(
            "text",
            "String",
            json!(["ü 😀 \"q\", y\r\nz\t\\n ' ; \u{2028}"])
        ),
        variable("texts", "String", json!(["a", "b, c"])),
        variable("when", "Date", json!(["2024-03-01T11:00:00.000+0100"])),
    ]);
    let unfit = json!([
        variable("double", "Double", json!(["NaN"])),
        variable("flag", "Boolean", json!(["maybe"])),
        variable("formula", "String", json!(["@SUM(A1)"])),
        variable("long", "Long", json!(["9223372036854775808"])),
        variable("mixed", "String", json!(["text"])),
        variable("short", "Short", json!(["1.5"])),
        variable("text", "String", json!(["null"])),
        variable("when", "Date", json!(["soon"])),
    ]);
    let ends = json!([
        variable("double", "Double", json!(["-1.7976931348623157E308"])),
        variable("empty", "String", json!([" "])),
        variable("flag", "Boolean", json!(["false"])),
        variable("formula", "String", json!(["007"])),
        variable("list", "Long", json!(["3"])),
        variable("long", "Long", json!(["-9223372036854775808"])),
        variable("short", "Short", json!(["32767"])),
        variable("text", "String", json!(["NA"])),
        variable("texts", "String", json!(["one"])),
        variable("when", "Date", json!(["9999-12-31T00:00:00.000+0000"])),
    ]);
    let documents = [
        of(
            "a1",
            json!({
                "processDefinitionVersion": "3", "processDefinitionId": "order:3:77", "businessKey": "",
                "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:01:00.000+0100",
                "dataSource": {"type": "engine", "name": "camunda-bpm"},
                "flowNodeInstances": flow_nodes, "variables": plain, "incidents": incidents,
            }),
        ),
        of(
            "a2",
            json!({"businessKey": "null", "tenantId": "emea", "variables": unfit,
                "startDate": "2024-07-01T00:00:00.000+0530", "endDate": "2024-07-01T00:01:00.000+0530"}),
        ),
        of(
            "a3",
            json!({"variables": ends, "duration": 1, "state": "INTERNALLY_TERMINATED",
                "startDate": "1969-12-31T23:59:59.998+0000", "endDate": "1969-12-31T23:59:59.999+0000"}),
        ),
    ];
    optimize.store_instances("order", documents);
    let names = [("start", Some("Order received")), ("pack", Some("Pack it"))];
    let named = definition("order", "3", None, &names);
    optimize.store(Index::ProcessDefinition, [("order:3:77", named)]);
    let tenants = with(selection("order"), json!({"tenantIds": [null, "emea"]}));
    optimize.store_report(raw_report(
        "raw",
        "order",
        json!({"definitions": [tenants]}),
    ));

    let many = (0..300).map(|n| variable(&format!("v{n:03}"), "Integer", json!([n.to_string()])));
    let many: Vec<Value> = many.collect();
    let one = json!([variable("v150", "Integer", json!(["x"]))]);
    optimize.store_instances(
        "wide",
        [
            instance("wide", "w1", json!({"variables": many})),
            instance("wide", "w2", json!({"variables": one})),
        ],
    );
    optimize.store_report(raw_report("wide", "wide", json!({})));

    optimize.store_instances("cut", [instance("cut", "c1", json!({}))]);
    let cut = format!("cut {HALF}");
    let document = instance(
        "cut",
        "c2",
        json!({"businessKey": cut, "variables": [variable("cut", "String", json!([cut]))]}),
    );
    let index = Index::ProcessInstance { key: "cut" };
    optimize.store_spelled(index, "c2", &document, br"\ud83d");
    optimize.store_report(raw_report("cut", "cut", json!({})));

    optimize.store_report(raw_report("nothing", "nowhere", json!({})));
}

fn store_decisions(optimize: &Optimize) {
    let audit = |value: &str, rule: &str, order: i64| {
        let changes = json!({"ruleId": rule, "ruleOrder": order, "variableName": "audits"});
        with(output("audit", "String", json!(value)), changes)
    };
    optimize.store_decisions(
        "invoice",
        [
            decision("invoice", "d1", json!({
                "evaluationDateTime": "2024-03-01T11:00:00.000+0100", "processInstanceId": "p1",
                "inputs": [input("amount", "Double", json!("12.5")), input("kind", "String", json!(""))],
                "outputs": [audit("=a", "r1", 1), audit("b \"c\"", "r2", 2), output("score", "Long", json!("9007199254740993"))],
            })),
            decision("invoice", "d2", json!({
                "inputs": [input("amount", "Double", json!("many")), input("kind", "String", Value::Null)],
                "outputs": [output("score", "Long", json!("2"))],
            })),
        ],
    );
    let inputs = [
        ("amount", Some("Amount"), "Double"),
        ("kind", Some("Kind"), "String"),
    ];
    let outputs = [
        ("audit", Some("Audit"), "String"),
        ("score", Some("Score"), "Long"),
    ];
    let named = decision_definition("invoice", "1", None, &inputs, &outputs);
    optimize.store(Index::DecisionDefinition, [("invoice:1", named)]);
    let by_id = json!({"configuration": {"sorting": {"by": "decisionInstanceId", "order": "asc"}}});
    optimize.store_report(decision_report("decisions", "invoice", by_id));
}

/// Orders in two cities on two days, and two tasks.
fn store_results(optimize: &Optimize) {
    let task = |id: &str, total: i64, idle: i64| {
        json!({"flowNodeInstanceId": id, "flowNodeId": "check", "flowNodeType": "userTask", "userTaskInstanceId": id,
            "totalDurationInMs": total, "idleDurationInMs": idle, "workDurationInMs": total - idle, "canceled": false,
            "definitionKey": "sale", "definitionVersion": "1", "tenantId": null,
            "startDate": "2024-03-01T10:00:00.000+0000", "endDate": "2024-03-01T10:00:10.000+0000"})
    };
    let of = |id: &str, city: &str, day: &str, duration: i64, tasks: Value| {
        let city = json!([variable("city", "String", json!([city]))]);
        let start = format!("{day}T10:00:00.000+0000");
        instance(
            "sale",
            id,
            json!({"duration": duration, "startDate": start, "variables": city, "flowNodeInstances": tasks}),
        )
    };
    let tasks = json!([task("t1", 1_000, 200), task("t2", 4_000, 600)]);
    optimize.store_instances(
        "sale",
        [
            of("s1", "Bonn", "2024-03-01", 1_000, tasks),
            of("s2", "Bonn", "2024-03-02", 3_000, json!([])),
            of("s3", "Ulm, \"old\"", "2024-03-02", 10_000, json!([])),
        ],
    );
    let named = definition("sale", "1", None, &[("check", Some("Check it"))]);
    let named = with(named, json!({"userTaskNames": {"check": "Check it"}}));
    optimize.store(Index::ProcessDefinition, [("sale:1", named)]);
    let aggregating = |id: &str, changes: Value| {
        let data = json!({
            "configuration": {}, "definitions": [selection("sale")], "filter": [],
            "view": {"entity": "processInstance", "properties": ["frequency"]},
            "groupBy": {"type": "none", "value": null}, "distributedBy": {"type": "none", "value": null},
            "visualization": "table",
        });
        optimize.store_report(report(id, with(data, changes)));
    };
    let both = json!({"entity": "processInstance", "properties": ["frequency", "duration"]});
    let functions = json!([{"type": "avg", "value": null}, {"type": "max", "value": null}, {"type": "percentile", "value": 50}]);
    let by_city = json!({"type": "variable", "value": {"name": "city", "type": "String"}});
    let by_day = json!({"type": "startDate", "value": {"unit": "day"}});
    aggregating(
        "number",
        json!({"view": both.clone(), "configuration": {"aggregationTypes": functions}}),
    );
    let sum = json!({"aggregationTypes": [{"type": "sum", "value": null}], "sorting": {"by": "value", "order": "asc"}});
    aggregating(
        "map",
        json!({"view": both, "groupBy": by_city.clone(), "configuration": sum}),
    );
    aggregating(
        "hyper",
        json!({"groupBy": by_city, "distributedBy": by_day}),
    );
    let times = json!({"aggregationTypes": [{"type": "avg", "value": null}, {"type": "max", "value": null}],
        "userTaskDurationTimes": ["total", "idle"]});
    aggregating(
        "tasks",
        json!({"view": {"entity": "userTask", "properties": ["frequency", "duration"]},
            "groupBy": {"type": "userTasks", "value": null}, "configuration": times}),
    );
}
