"""What each cell of each table has to be, worked out by hand from the documents in `../readers.rs`."""

from dataclasses import dataclass

MS_OF_TEN = 1_709_287_200_000  # 2024-03-01T10:00:00Z
TYPED = ("parquet", "arrow")


@dataclass(frozen=True)
class Instant:
    """A moment: as csv and ndjson show it, and in milliseconds."""

    shown: str
    millis: int


@dataclass(frozen=True)
class Rest:
    """`variables:rest`: an object in ndjson, its JSON in the other formats."""

    value: dict


@dataclass(frozen=True)
class ByFormat:
    """A cell that is not the same in csv and elsewhere."""

    csv: object
    other: object


@dataclass(frozen=True)
class Table:
    """Columns with their types, and rows."""

    columns: dict
    rows: list


def instant(shown, offset_ms=0):
    return Instant(shown, MS_OF_TEN + offset_ms)


TEN = instant("2024-03-01T11:00:00.000+0100")
TEXT, INTEGER, DOUBLE, BOOLEAN, INSTANT, LIST = "text", "integer", "double", "boolean", "instant", "list"

RAW = Table(
    columns={
        "processDefinitionKey": TEXT,
        "processDefinitionId": TEXT,
        "processDefinitionVersion": TEXT,
        "processInstanceId": TEXT,
        "businessKey": TEXT,
        "startDate": INSTANT,
        "endDate": INSTANT,
        "duration": INTEGER,
        "state": TEXT,
        "engineName": TEXT,
        "tenantId": TEXT,
        "count:incidents": INTEGER,
        "count:openIncidents": INTEGER,
        "count:userTasks": INTEGER,
        "dur:pack": INTEGER,
        "dur:start": INTEGER,
        "variable:double": DOUBLE,
        "variable:empty": TEXT,
        "variable:flag": BOOLEAN,
        "variable:formula": TEXT,
        "variable:list": INTEGER,
        "variable:long": INTEGER,
        "variable:mixed": TEXT,
        "variable:nothing": TEXT,
        "variable:object": TEXT,
        "variable:short": INTEGER,
        "variable:text": TEXT,
        "variable:texts": TEXT,
        "variable:when": INSTANT,
        "variables:rest": TEXT,
    },
    rows=[
        ["order", "order:3:77", "3", "a1", "", TEN, instant("2024-03-01T11:01:00.000+0100", 60_000), 60_000, "COMPLETED",
         "camunda-bpm", None, 2, 1, 1, 40_000, 0,
         0.30000000000000004, "", True, "=1+1", ByFormat("1, 2", None), 9007199254740993, "7", None, '{"x": [1, "ü"]}', -7,
         "ü 😀 \"q\", y\r\nz\t\\n ' ; \u2028", ByFormat("a, b, c", None), TEN,
         ByFormat(None, Rest({"list": ["1", "2"], "texts": ["a", "b, c"]}))],
        ["order", "order:1", "1", "a2", "null",
         Instant("2024-07-01T00:00:00.000+0530", 1_719_772_200_000), Instant("2024-07-01T00:01:00.000+0530", 1_719_772_260_000),
         60_000, "COMPLETED", "zeebe-record", "emea", 0, 0, 0, None, None,
         None, None, None, "@SUM(A1)", None, None, "text", None, None, None, "null", None, None,
         Rest({"double": ["NaN"], "flag": ["maybe"], "long": ["9223372036854775808"], "short": ["1.5"], "when": ["soon"]})],
        ["order", "order:1", "1", "a3", None, Instant("1969-12-31T23:59:59.998+0000", -2), Instant("1969-12-31T23:59:59.999+0000", -1),
         1, "INTERNALLY_TERMINATED", "zeebe-record", None, 0, 0, 0, None, None,
         -1.7976931348623157e308, " ", False, "007", 3, -9223372036854775808, None, None, None, 32767, "NA", "one",
         Instant("9999-12-31T00:00:00.000+0000", 253_402_214_400_000), None],
    ],
)

FLOW_NODES = Table(
    columns={
        "processInstanceId": TEXT, "processDefinitionKey": TEXT, "processDefinitionVersion": TEXT, "tenantId": TEXT,
        "flowNodeInstanceId": TEXT, "flowNodeId": TEXT, "flowNodeName": TEXT, "flowNodeType": TEXT,
        "startDate": INSTANT, "endDate": INSTANT, "duration": INTEGER, "workDuration": INTEGER, "idleDuration": INTEGER,
        "canceled": BOOLEAN, "userTaskInstanceId": TEXT, "assignee": TEXT, "candidateGroups": LIST, "dueDate": INSTANT,
    },
    rows=[
        ["a1", "order", "3", None, "f1", "start", "Order received", "startEvent", TEN, TEN, 0, None, None, False, None, None, [], None],
        ["a1", "order", "3", None, "f2", "pack", "Pack it", "userTask", TEN, instant("2024-03-01T11:00:40.000+0100", 40_000),
         40_000, 10_000, 30_000, True, "u2", "änn", ["a,b", '"c"', "line\nend"],
         instant("2024-03-02T10:00:00.000+0000", 86_400_000)],
    ],
)

VARIABLES = Table(
    columns={"processInstanceId": TEXT, "name": TEXT, "type": TEXT, "position": INTEGER, "value": TEXT},
    rows=[
        ["a1", "double", "Double", 0, "0.30000000000000004"],
        ["a1", "empty", "String", 0, ""],
        ["a1", "flag", "Boolean", 0, "true"],
        ["a1", "formula", "String", 0, "=1+1"],
        ["a1", "list", "Long", 0, "1"],
        ["a1", "list", "Long", 1, "2"],
        ["a1", "long", "Long", 0, "9007199254740993"],
        ["a1", "mixed", "Short", 0, "7"],
        ["a1", "nothing", "String", 0, None],
        ["a1", "object", "Object", 0, '{"x": [1, "ü"]}'],
        ["a1", "short", "Short", 0, "-7"],
        ["a1", "text", "String", 0, "ü 😀 \"q\", y\r\nz\t\\n ' ; \u2028"],
        ["a1", "texts", "String", 0, "a"],
        ["a1", "texts", "String", 1, "b, c"],
        ["a1", "when", "Date", 0, "2024-03-01T11:00:00.000+0100"],
        ["a2", "double", "Double", 0, "NaN"],
        ["a2", "flag", "Boolean", 0, "maybe"],
        ["a2", "formula", "String", 0, "@SUM(A1)"],
        ["a2", "long", "Long", 0, "9223372036854775808"],
        ["a2", "mixed", "String", 0, "text"],
        ["a2", "short", "Short", 0, "1.5"],
        ["a2", "text", "String", 0, "null"],
        ["a2", "when", "Date", 0, "soon"],
        ["a3", "double", "Double", 0, "-1.7976931348623157E308"],
        ["a3", "empty", "String", 0, " "],
        ["a3", "flag", "Boolean", 0, "false"],
        ["a3", "formula", "String", 0, "007"],
        ["a3", "list", "Long", 0, "3"],
        ["a3", "long", "Long", 0, "-9223372036854775808"],
        ["a3", "short", "Short", 0, "32767"],
        ["a3", "text", "String", 0, "NA"],
        ["a3", "texts", "String", 0, "one"],
        ["a3", "when", "Date", 0, "9999-12-31T00:00:00.000+0000"],
    ],
)

INCIDENTS = Table(
    columns={
        "processInstanceId": TEXT, "incidentId": TEXT, "incidentType": TEXT, "incidentStatus": TEXT, "flowNodeId": TEXT,
        "createTime": INSTANT, "endTime": INSTANT, "duration": INTEGER, "message": TEXT,
    },
    rows=[
        ["a1", "n1", "failedJob", "open", "pack", TEN, None, None, 'no, "paper"\r\n\tat X'],
        ["a1", "n2", "failedJob", "resolved", "pack", TEN, instant("2024-03-01T11:00:01.000+0100", 1_000), 1_000, None],
    ],
)

DECISIONS = Table(
    columns={
        "decisionDefinitionKey": TEXT, "decisionDefinitionId": TEXT, "decisionInstanceId": TEXT, "processInstanceId": TEXT,
        "evaluationDateTime": INSTANT, "engineName": TEXT, "tenantId": TEXT,
        "input:amount": DOUBLE, "input:kind": TEXT, "output:audit": TEXT, "output:score": INTEGER, "variables:rest": TEXT,
    },
    rows=[
        ["invoice", "invoice:1", "d1", "p1", TEN, "camunda-bpm", None, 12.5, "", '=a, b "c"', 9007199254740993, None],
        ["invoice", "invoice:1", "d2", None, instant("2024-03-01T10:00:00.000+0000"), "camunda-bpm", None, None, None, None, 2,
         Rest({"amount": "many"})],
    ],
)

INPUTS = Table(
    columns={"decisionInstanceId": TEXT, "clauseId": TEXT, "clauseName": TEXT, "type": TEXT, "position": INTEGER, "value": TEXT},
    rows=[
        ["d1", "amount", "amount name", "Double", 0, "12.5"],
        ["d1", "kind", "kind name", "String", 0, ""],
        ["d2", "amount", "amount name", "Double", 0, "many"],
        ["d2", "kind", "kind name", "String", 0, None],
    ],
)

OUTPUTS = Table(
    columns={**INPUTS.columns, "ruleId": TEXT, "ruleOrder": INTEGER, "variableName": TEXT},
    rows=[
        ["d1", "audit", "audit name", "String", 0, "=a", "r1", 1, "audits"],
        ["d1", "audit", "audit name", "String", 1, 'b "c"', "r2", 2, "audits"],
        ["d1", "score", "score name", "Long", 0, "9007199254740993", "rule", 1, "score"],
        ["d2", "score", "score name", "Long", 0, "2", "rule", 1, "score"],
    ],
)

WIDE = Table(
    columns={"processInstanceId": TEXT, **{f"variable:v{n:03}": INTEGER for n in range(300)}, "variables:rest": TEXT},
    rows=[["w1", *range(300), None], ["w2", *[None] * 300, Rest({"v150": ["x"]})]],
)

# Half a surrogate pair can't be written in UTF-8.
CUT = Table(
    columns={"processInstanceId": TEXT, "businessKey": TEXT, "variable:cut": TEXT, "variables:rest": TEXT},
    rows=[["c1", None, None, None], ["c2", "cut \ufffd", "cut \ufffd", None]],
)

# The columns that don't depend on instances.
NOTHING = Table(
    columns={**dict(list(RAW.columns.items())[:14]), "variables:rest": TEXT},
    rows=[],
)

# 1, 3 and 10 s: 14 / 3 = 4.667 s on average, which Optimize rounds to whole milliseconds.
NUMBER = Table(
    columns={"frequency": INTEGER, "duration:avg": DOUBLE, "duration:max": DOUBLE, "duration:percentile50": DOUBLE},
    rows=[[3, 4667.0, 10000.0, 3000.0]],
)

MAP = Table(
    columns={"key": TEXT, "label": TEXT, "frequency": INTEGER, "duration:sum": DOUBLE},
    rows=[['Ulm, "old"', 'Ulm, "old"', 1, 10000.0], ["Bonn", "Bonn", 2, 4000.0]],
)

FIRST, SECOND = "2024-03-01T00:00:00.000+0000", "2024-03-02T00:00:00.000+0000"
HYPER = Table(
    columns={"key": TEXT, "label": TEXT, "distributionKey": TEXT, "distributionLabel": TEXT, "frequency": INTEGER},
    rows=[
        ["Bonn", "Bonn", FIRST, FIRST, 1],
        ["Bonn", "Bonn", SECOND, SECOND, 1],
        ['Ulm, "old"', 'Ulm, "old"', FIRST, FIRST, 0],
        ['Ulm, "old"', 'Ulm, "old"', SECOND, SECOND, 1],
    ],
)

# Two tasks of 1 s and 4 s, of which 0.2 s and 0.6 s idle.
TASKS = Table(
    columns={"key": TEXT, "label": TEXT, "frequency": INTEGER, "duration:avg:total": DOUBLE, "duration:max:total": DOUBLE,
             "duration:avg:idle": DOUBLE, "duration:max:idle": DOUBLE},
    rows=[["check", "Check it", 2, 2500.0, 4000.0, 400.0, 600.0]],
)

# In New York it is 5 o'clock when it is 10 in London, in summer it is 14:30 of the day before when it is 0:00 in Kolkata.
ZONED = Table(
    columns={"processInstanceId": TEXT, "startDate": INSTANT, "endDate": INSTANT},
    rows=[
        ["a1", instant("2024-03-01T05:00:00.000-0500"), instant("2024-03-01T05:01:00.000-0500", 60_000)],
        ["a2", Instant("2024-06-30T14:30:00.000-0400", 1_719_772_200_000), Instant("2024-06-30T14:31:00.000-0400", 1_719_772_260_000)],
        ["a3", Instant("1969-12-31T18:59:59.998-0500", -2), Instant("1969-12-31T18:59:59.999-0500", -1)],
    ],
)

TABLES = {
    "raw.instances": RAW,
    "raw.flowNodes": FLOW_NODES,
    "raw.variables": VARIABLES,
    "raw.incidents": INCIDENTS,
    "raw.zoned": ZONED,
    "decisions.instances": DECISIONS,
    "decisions.inputs": INPUTS,
    "decisions.outputs": OUTPUTS,
    "wide.instances": WIDE,
    "cut.instances": CUT,
    "nothing.instances": NOTHING,
    "number.result": NUMBER,
    "map.result": MAP,
    "hyper.result": HYPER,
    "tasks.result": TASKS,
}
