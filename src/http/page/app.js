// The page for people. It shows what the API gives for the token that somebody types in.
//
// Texts of reports are only ever put into text nodes and attributes, so that none of them can become markup. The token is
// in one variable, and leaves it in the header of requests to this service alone.

/** Rows of a table that are shown. */
const MOST_ROWS = 20;
/** Groups of a result that are shown. */
const MOST_GROUPS = 50;
/** Characters of a value that are shown. */
const MOST_CHARACTERS = 200;
/** How often a download says how far it is, in milliseconds; a voice reads it out. */
const PROGRESS_INTERVAL = 2_000;
/** How long a file is kept for the browser to save it, in milliseconds. */
const FILE_KEPT = 60_000;

const FORMATS = [
  {name: "CSV", format: "csv", query: {}},
  {name: "CSV for Excel", format: "csv", query: {bom: "true", formulas: "text"}},
  {name: "NDJSON", format: "ndjson", query: {}},
  {name: "Parquet", format: "parquet", query: {}},
  {name: "Arrow", format: "arrow", query: {}},
];
const KINDS = {process: "Process report", decision: "Decision report", combined: "Combined report"};
/** Columns of a result that say which group a row is. */
const GROUP_COLUMNS = ["key", "label", "distributionKey", "distributionLabel"];
const NUMBER_TYPES = ["integer", "double"];
const PERCENTAGES = ["percentage", "automationRate"];
/** More bars than this are scrolled, so that the table below them stays near. */
const MOST_BARS = 16;
const SVG = "http://www.w3.org/2000/svg";

/** The folder that this page is in, whatever stands before it. */
const base = new URL(".", location.href).href;

let token = null;
let reports = [];
/** The report that is shown. */
let chosen = null;
/** Ends the requests for what is shown. */
let showing = new AbortController();
/** Ends the download, if there is one. */
let downloading = null;

const byId = (id) => document.getElementById(id);

/** What went wrong, in words for people. */
class Problem extends Error {}
/** The token does not let in. */
class NotAuthorized extends Problem {}

// Elements

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Children that are texts become text nodes. */
function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function button(text, whenPressed) {
  const made = element("button", {type: "button"}, text);
  made.addEventListener("click", () => whenPressed(made));
  return made;
}

/** What is wider or higher than its place. It can be focused, so that keys scroll it. */
function scrollable(label, ...children) {
  return element("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": label}, ...children);
}

function tell(text, isBad = false) {
  const message = byId("message");
  message.classList.toggle("bad", isBad);
  message.textContent = text;
}

/** Tells of an error; whoever stopped a request needs no telling. */
function tellOf(error) {
  if (error.name === "AbortError") {
    return;
  }
  if (error instanceof NotAuthorized) {
    signOut();
  }
  tell(inWords(error), true);
}

function inWords(error) {
  if (error instanceof Problem) {
    return error.message;
  }
  // A mistake of this page, which its developers look for there.
  console.error(error);
  return `This page failed: ${error.message}`;
}

// Requests

/** The path of something of a report: `csv`, `schema`, … */
function resultPath(id, what, query) {
  const parameters = Object.entries(query).map(([name, value]) => `${name}=${encoded(value)}`);
  const path = `api/public/export/report/${encoded(id)}/result/${what}`;
  return parameters.length > 0 ? `${path}?${parameters.join("&")}` : path;
}

/** Also what shells, SQL and patterns give a meaning to. An id with half an emoji is the id of no report. */
function encoded(text) {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\uFFFD")).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Asks the API. What is no success is a Problem. */
async function ask(path, signal) {
  let answer;
  try {
    answer = await fetch(new URL(path, base), {
      headers: {Authorization: `Bearer ${token}`},
      cache: "no-store",
      redirect: "error",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    throw new Problem("The service can't be reached.");
  }
  if (answer.ok) {
    return answer;
  }
  const text = await explanation(answer);
  if (answer.status === 401) {
    throw new NotAuthorized(`Type the token again: ${text}`);
  }
  const seconds = answer.headers.get("Retry-After");
  throw new Problem(seconds === null ? text : `${text} Try again in ${seconds} seconds.`);
}

/** What the service says of an error. A proxy in front of it has its own ways. */
async function explanation(answer) {
  try {
    const {errorMessage, detailedMessage} = await answer.json();
    return asSentence(detailedMessage || errorMessage);
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    return `The service answered with status ${answer.status}.`;
  }
}

function asSentence(text) {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** The JSON of an answer. One that breaks off is a Problem. */
async function jsonOf(answer) {
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    throw new Problem("The answer of the service broke off. Ask again.");
  }
}

/** The body of an answer, part by part. One that breaks off is a Problem. */
async function* partsOf(answer) {
  const reader = answer.body.getReader();
  try {
    for (;;) {
      const {done, value} = await reader.read();
      if (done) {
        return;
      }
      yield value;
    }
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    throw new Problem("The connection broke off, and what has arrived is only a part. Ask again.");
  } finally {
    // Nobody reads the rest.
    reader.cancel().catch(() => {});
  }
}

/** The first rows of a table, and whether there are more. The request ends when they are there. */
async function firstRows(path, most, signal) {
  const answer = await ask(path, signal);
  const total = answer.headers.get("Optimize-Export-Total-Records");
  const decoder = new TextDecoder();
  const rows = [];
  let rest = "";
  for await (const part of partsOf(answer)) {
    const lines = (rest + decoder.decode(part, {stream: true})).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (rows.length === most) {
        return {rows, total, hasMore: true};
      }
      rows.push(JSON.parse(line, asItStands));
    }
  }
  return {rows, total, hasMore: false};
}

/** Numbers stay the text that they are: those of JavaScript lose the last digits of long ones. */
function asItStands(_name, value, context) {
  if (typeof value !== "number") {
    return value;
  }
  return {number: context?.source ?? (Number.isSafeInteger(value) || value % 1 !== 0 ? `${value}` : `≈ ${value}`), value};
}

// Signing in and out

async function signIn(event) {
  event.preventDefault();
  const typed = byId("token").value.trim();
  if (!/^[\x21-\x7e]+$/.test(typed)) {
    tell("This is no token: it has letters, digits and signs of ASCII, and no spaces.", true);
    return;
  }
  token = typed;
  tell("Asking for the reports …");
  try {
    reports = await jsonOf(await ask("api/public/export/reports"));
  } catch (error) {
    token = null;
    tellOf(error);
    byId("token").focus();
    return;
  }
  byId("token").value = "";
  byId("sign-in").hidden = true;
  byId("sign-out").hidden = false;
  byId("reports").hidden = false;
  list();
  tell(`${reports.length === 1 ? "One report" : `${reports.length} reports`} for this token.`);
  byId("find").focus();
}

function signOut() {
  token = null;
  reports = [];
  showing.abort();
  downloading?.abort();
  nothingIsChosen();
  byId("find").value = "";
  byId("list").replaceChildren();
  byId("reports").hidden = true;
  byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  byId("token").focus();
}

// The list

function nameOf(report) {
  return report.name || report.id;
}

/** `userTasks` is `user tasks`. */
function words(text) {
  return text.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}

/** What a report asks for. */
function question(report) {
  if (!report.view) {
    return "";
  }
  if (report.view === "rawData") {
    return "raw data";
  }
  const [entity, ...others] = report.view.split("-");
  const properties = others.join("-");
  // The name of a variable is somebody's own.
  const what = properties.startsWith("variable ") ? properties : words(properties);
  const groups = [report.groupBy, report.distributedBy].filter((group) => group && group !== "none");
  return [properties ? `${words(entity)}: ${what}` : words(entity), ...groups.map(words)].join(", by ");
}

function list() {
  const wanted = byId("find").value.trim().toLowerCase();
  const isWanted = (report) =>
    [nameOf(report), report.id, report.type, question(report)].some((text) => text.toLowerCase().includes(wanted));
  const found = reports.filter(isWanted);
  byId("count").textContent = wanted ? `${found.length} of ${reports.length}` : "";
  byId("list").replaceChildren(
    ...found.map((report) => {
      const entry = button(nameOf(report), () => show(report));
      entry.append(element("small", {}, [KINDS[report.type], question(report)].filter(Boolean).join(", ")));
      if (!report.isExportable) {
        entry.append(element("small", {class: "no"}, "Can't be exported"));
      }
      entry.setAttribute("aria-current", report === chosen);
      return element("li", {}, entry);
    }),
  );
}

// A report

function nothingIsChosen() {
  chosen = null;
  document.title = "Reports to export";
  byId("report-name").textContent = "No report is chosen";
  byId("choose").hidden = false;
  if (downloading === null) {
    byId("progress").textContent = "";
  }
  for (const id of ["facts", "problem", "preview", "preview-note", "column-list", "lines"]) {
    byId(id).replaceChildren();
  }
  for (const id of ["back", "problem", "contents"]) {
    byId(id).hidden = true;
  }
}

async function show(report) {
  const signal = beginToShow();
  nothingIsChosen();
  chosen = report;
  list();
  document.title = nameOf(report);
  byId("report-name").textContent = nameOf(report);
  byId("choose").hidden = true;
  byId("back").hidden = false;
  const facts = [
    ["Type", KINDS[report.type]],
    ["Asks for", question(report)],
    ["Id", report.id],
    ["Collection", report.collectionId ?? "none: a private report"],
  ];
  byId("facts").replaceChildren(
    ...facts.filter(([, text]) => text).flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]),
  );
  byId("report-name").focus();
  if (!report.isExportable) {
    showProblem(`It can't be exported: ${report.problem}`);
    tell("");
    return;
  }
  await showTable(report, null, signal);
}

/** Says what stands in the way of a report, where it is read later too. */
function showProblem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = text === "";
}

/** Ends what was shown before. */
function beginToShow() {
  showing.abort();
  showing = new AbortController();
  return showing.signal;
}

/** Shows a table of a report; `null` is its first one. */
async function showTable(report, table, signal) {
  tell(`Asking for ${nameOf(report)} …`);
  showProblem("");
  byId("preview").replaceChildren();
  byId("preview-note").textContent = "";
  byId("column-list").replaceChildren();
  byId("contents").setAttribute("aria-busy", "true");
  try {
    const schema = await jsonOf(await ask(resultPath(report.id, "schema", table ? {table} : {}), signal));
    byId("table").replaceChildren(...schema.tables.map((name) => element("option", {value: name}, name)));
    byId("table").value = schema.table;
    showColumns(schema);
    showDownloads(report, schema.table);
    showLines(report, schema.table);
    byId("contents").hidden = false;
    const query = {columns: "*", table: schema.table};
    const isResult = schema.table === "result";
    const path = resultPath(report.id, "ndjson", query);
    const first = await firstRows(path, isResult ? MOST_GROUPS : MOST_ROWS, signal);
    showPreview(schema, first);
    tell("");
  } catch (error) {
    // Whoever has chosen another report sees that one.
    if (!signal.aborted) {
      showProblem(inWords(error));
      tellOf(error);
    }
  } finally {
    if (!signal.aborted) {
      byId("contents").removeAttribute("aria-busy");
    }
  }
}

function showColumns(schema) {
  byId("columns").querySelector("summary").textContent =
    schema.columns.length === 1 ? "One column" : `${schema.columns.length} columns`;
  const rows = schema.columns.map((column) => {
    const remarks = [];
    if (schema.primaryKey.includes(column.name)) {
      remarks.push("key");
    }
    if (column.nullable) {
      remarks.push("may be missing");
    }
    return element(
      "tr",
      {},
      element("th", {scope: "row"}, column.name),
      element("td", {}, column.type),
      element("td", {}, remarks.join(", ")),
      element("td", {}, column.source),
    );
  });
  const head = ["Name", "Type", "Remarks", "Comes from"].map((name) => element("th", {scope: "col"}, name));
  const caption = `Columns of the table ${schema.table}`;
  byId("column-list").replaceChildren(
    scrollable(
      caption,
      element(
        "table",
        {},
        element("caption", {}, caption),
        element("thead", {}, element("tr", {}, ...head)),
        element("tbody", {}, ...rows),
      ),
    ),
  );
}

// The preview

function showPreview(schema, {rows, total, hasMore}) {
  const note = byId("preview-note");
  const preview = byId("preview");
  const names = schema.columns.map((column) => column.name);
  const isResult = schema.table === "result";
  const measures = schema.columns.filter(
    (column) => !GROUP_COLUMNS.includes(column.name) && NUMBER_TYPES.includes(column.type),
  );
  if (rows.length === 0) {
    note.textContent = "There are no rows.";
    return;
  }
  if (isResult && !names.includes("key")) {
    note.textContent = "";
    preview.append(figures(measures, rows[0]));
    return;
  }
  const isDistributed = names.includes("distributionKey");
  const what = isResult && !isDistributed ? "group" : "row";
  const known = total === null ? "" : ` The ${isResult ? "result" : "report"} has ${grouped(total)} ${isResult ? "rows" : "instances"}.`;
  if (hasMore) {
    note.textContent = `The first ${rows.length} ${what}s.${known}`;
  } else {
    note.textContent = rows.length === 1 ? `One ${what}.` : `All ${rows.length} ${what}s.`;
  }
  if (isResult && !isDistributed && measures.length > 0) {
    preview.append(...chartWithChoice(measures, rows));
  }
  const caption = `${hasMore ? "First rows" : "Rows"} of the table ${schema.table}`;
  preview.append(scrollable(caption, tableOf(schema, rows, caption)));
}

function grouped(digits) {
  return Number(digits).toLocaleString("en");
}

function tableOf(schema, rows, caption) {
  const head = schema.columns.map((column) =>
    element("th", {scope: "col"}, column.name, element("small", {}, column.type)),
  );
  const body = rows.map((row) =>
    element("tr", {}, ...schema.columns.map((column, position) => cell(row[column.name], position === 0))),
  );
  return element(
    "table",
    {class: "rows"},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body),
  );
}

/** A value as it stands in the row. */
function cell(value, isHead) {
  const node = isHead ? element("th", {scope: "row"}) : element("td");
  if (value === null || value === undefined) {
    node.append(element("span", {class: "nothing"}, "null"));
  } else if (isNumber(value)) {
    node.classList.add("number");
    node.append(value.number);
  } else {
    const text = typeof value === "string" ? value : JSON.stringify(value, (_name, part) => (isNumber(part) ? part.value : part));
    const characters = Array.from(text.slice(0, 2 * MOST_CHARACTERS));
    node.append(characters.length > MOST_CHARACTERS ? `${characters.slice(0, MOST_CHARACTERS).join("")} …` : text);
  }
  return node;
}

function isNumber(value) {
  return value !== null && typeof value === "object" && Object.hasOwn(value, "number");
}

/** A value for people, and how it stands in the table where that differs. */
function measured(column, value) {
  if (!isNumber(value)) {
    return ["no value", ""];
  }
  const isDuration = column.name.startsWith("duration");
  const text = value.value.toLocaleString("en", {maximumFractionDigits: 2});
  if (PERCENTAGES.includes(column.name)) {
    return [`${text} %`, ""];
  }
  return isDuration ? [duration(value.value), `${text} ms`] : [text, ""];
}

/** Milliseconds in the two largest units. */
function duration(milliseconds) {
  const units = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1_000], ["ms", 1]];
  const size = Math.abs(Math.round(milliseconds));
  const first = units.findIndex(([, unit]) => size >= unit);
  if (first < 0) {
    return "0 ms";
  }
  let rest = size;
  const parts = [];
  for (const [name, unit] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    if (count > 0) {
      parts.push(`${count} ${name}`);
    }
  }
  return `${milliseconds < 0 ? "−" : ""}${parts.join(" ")}`;
}

/** A number by itself, large. */
function figures(measures, row) {
  const entries = measures.map((column) => {
    const [text, exact] = measured(column, row[column.name]);
    return element(
      "div",
      {},
      element("dt", {}, column.name),
      element("dd", {}, element("span", {class: "large"}, text), exact),
    );
  });
  return element("dl", {class: "figures"}, ...entries);
}

/** A chart of one measure; of which, people choose where there are several. */
function chartWithChoice(measures, rows) {
  const draw = (column) =>
    rows.length > MOST_BARS ? scrollable(`Bars of ${column.name}`, chart(column, rows)) : chart(column, rows);
  const place = element("div", {class: "chart"}, draw(measures[0]));
  if (measures.length === 1) {
    return [place];
  }
  const select = element("select", {id: "measure"}, ...measures.map((column) => element("option", {}, column.name)));
  select.addEventListener("change", () => place.replaceChildren(draw(measures[select.selectedIndex])));
  return [element("div", {class: "field"}, element("label", {for: "measure"}, "Chart of"), select), place];
}

/** Bars below their labels. Widths are parts of the whole, so that texts keep their size wherever it is shown. */
function chart(column, rows) {
  const [step, above, thickness] = [44, 20, 14];
  const values = rows.map((row) => (isNumber(row[column.name]) ? row[column.name].value : 0));
  const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
  const part = (value) => (most > least ? (100 * value) / (most - least) : 0);
  const bars = rows.flatMap((row, position) => {
    const top = position * step;
    const value = values[position];
    const label = `${row.label || row.key}`.replace(/T00:00:00\.000[+-]\d{4}$/, "");
    const start = part(Math.min(value, 0) - least);
    return [
      drawn("text", {x: "0", y: top + 14}, shortened(label, 36)),
      drawn("text", {x: "100%", y: top + 14, "text-anchor": "end"}, measured(column, row[column.name])[0]),
      drawn("rect", {class: "ground", x: "0", y: top + above, width: "100%", height: thickness, rx: "2"}),
      drawn("rect", {
        class: "bar",
        x: `${start}%`,
        y: top + above,
        width: `${part(Math.abs(value))}%`,
        height: thickness,
        rx: "2",
      }),
    ];
  });
  const label = `Bar chart of ${column.name}. The table below has the same values.`;
  return drawn("svg", {role: "img", "aria-label": label, width: "100%", height: rows.length * step}, ...bars);
}

function shortened(text, most) {
  const characters = Array.from(text);
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}

// Downloads

function showDownloads(report, table) {
  byId("downloads").replaceChildren(
    ...FORMATS.map(({name, format, query}) =>
      button(name, () => download(resultPath(report.id, format, {table, ...query}), name)),
    ),
  );
}

async function download(path, name) {
  downloading?.abort();
  const own = new AbortController();
  downloading = own;
  const progress = byId("progress");
  byId("cancel").hidden = false;
  progress.textContent = `${name}: asking …`;
  try {
    const answer = await ask(path, own.signal);
    const parts = [];
    let size = 0;
    let toldAt = performance.now();
    for await (const part of partsOf(answer)) {
      parts.push(part);
      size += part.length;
      if (performance.now() - toldAt > PROGRESS_INTERVAL) {
        toldAt = performance.now();
        progress.textContent = `${name}: ${inUnits(size)} so far`;
      }
    }
    const file = fileName(answer.headers.get("Content-Disposition"));
    save(new Blob(parts, {type: answer.headers.get("Content-Type") ?? ""}), file);
    progress.textContent = `${file}: ${inUnits(size)}, complete`;
  } catch (error) {
    if (error.name === "AbortError") {
      // Another download may have begun since.
      progress.textContent = downloading === own ? `${name}: cancelled` : progress.textContent;
    } else {
      progress.textContent = `${name}: no file. ${inWords(error)}`;
      tellOf(error);
    }
  } finally {
    if (downloading === own) {
      downloading = null;
      byId("cancel").hidden = true;
    }
  }
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = element("a", {href: address, download: name, hidden: ""});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), FILE_KEPT);
}

/** The name in `Content-Disposition` (RFC 6266). */
function fileName(disposition) {
  const exact = /filename\*=UTF-8''([^;]+)/.exec(disposition ?? "");
  if (exact) {
    try {
      return decodeURIComponent(exact[1]);
    } catch {
      // The other one is there for everybody.
    }
  }
  return /filename="([^"]+)"/.exec(disposition ?? "")?.[1] ?? "report";
}

function inUnits(bytes) {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

// Lines to copy

function showLines(report, table) {
  byId("lines").replaceChildren(
    ...linesFor(report, table).map(({tool, text}) => {
      const code = element("pre", {tabindex: "0", role: "region", "aria-label": `Lines for ${tool}`}, element("code", {}, text));
      const copier = button("Copy", () => copy(code, tool));
      copier.setAttribute("aria-label", `Copy the lines for ${tool}`);
      const head = element("div", {class: "line"}, element("h4", {}, tool), copier);
      return element("section", {}, head, code);
    }),
  );
}

/** As in docs/recipes. Whatever is not this page's own text is encoded, so that no quote ends early. */
function linesFor(report, table) {
  const quoted = (text) => text.replace(/['"\\`$]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const address = (format) => quoted(base + resultPath(report.id, format, {table}));
  const site = quoted(new URL(base).origin);
  const relative = address("parquet").slice(site.length + 1).split("?")[0];
  const file = `${plain(nameOf(report))}-${plain(table)}`;
  return [
    {
      tool: "curl",
      text: `curl --fail-with-body --retry 5 --compressed \\
  --header 'Authorization: Bearer YOUR_TOKEN' \\
  --output ${file}.csv \\
  '${address("csv")}'`,
    },
    {
      tool: "DuckDB",
      text: `INSTALL httpfs;
LOAD httpfs;
CREATE SECRET optimize (TYPE http, BEARER_TOKEN 'YOUR_TOKEN', SCOPE '${site}');
CREATE TABLE report AS
FROM read_parquet('${address("parquet")}');`,
    },
    {
      tool: "Power Query",
      text: `let
    Source = Web.Contents(
        "${site}",
        [
            RelativePath = "${relative}",
            Query = [table = "${table}"],
            Headers = [Authorization = "Bearer YOUR_TOKEN"],
            Timeout = #duration(0, 0, 30, 0)
        ]
    ),
    Report = Parquet.Document(Source)
in
    Report`,
    },
    {
      tool: "polars",
      text: `import shutil
import urllib.request

import polars as pl

url = "${address("parquet")}"
request = urllib.request.Request(url, headers={"Authorization": "Bearer YOUR_TOKEN"})
with urllib.request.urlopen(request, timeout=60) as answer, open("${file}.parquet", "wb") as file:
    shutil.copyfileobj(answer, file)

report = pl.read_parquet("${file}.parquet")
print(report)`,
    },
  ];
}

/** A name that means the same to every system and shell. */
function plain(name) {
  return name.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "report";
}

/** By the clipboard, which browsers give to encrypted pages only; else by the selection. */
async function copy(code, tool) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    tell(`The lines for ${tool} are copied.`);
    return;
  } catch {
    getSelection().selectAllChildren(code);
  }
  const isCopied = document.execCommand("copy");
  tell(isCopied ? `The lines for ${tool} are copied.` : `The lines for ${tool} are selected: copy them with Ctrl+C or ⌘C.`);
}

// What people do

byId("sign-in").addEventListener("submit", signIn);
byId("sign-out").addEventListener("click", () => {
  signOut();
  tell("The token is forgotten.");
});
byId("find").addEventListener("input", list);
byId("table").addEventListener("change", () => showTable(chosen, byId("table").value, beginToShow()));
byId("cancel").addEventListener("click", () => downloading?.abort());
byId("back").addEventListener("click", () => (byId("list").querySelector('[aria-current="true"]') ?? byId("find")).focus());
