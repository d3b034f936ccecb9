"use strict";
// Draws /openapi.json. Text goes into the page as text only, so nothing in the document can become markup.

const verbs = ["get", "post", "put", "patch", "delete"];
let spec = {};

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// `code` and paragraphs: all the markup that descriptions use.
function prose(text, tag = "p") {
  return (text || "").split("\n\n").filter(Boolean).map((paragraph) =>
    make(tag, {}, ...paragraph.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part))));
}

function resolve(node) {
  let current = node;
  while (current && current.$ref) {
    current = current.$ref.slice(2).split("/").reduce((at, key) => at && at[key], spec);
  }
  return current || {};
}

function nameOf(node) {
  return node && node.$ref ? node.$ref.split("/").pop() : null;
}

function typeOf(node) {
  const schema = resolve(node);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.oneOf) return schema.oneOf.map(typeOf).join(" or ");
  if (schema.type === "array") return schema.prefixItems ? "[" + schema.prefixItems.map(typeOf).join(", ") + "]" : "array of " + typeOf(schema.items);
  const base = nameOf(node) && schema.properties ? nameOf(node) : [].concat(schema.type || "any").join(" | ");
  if (schema.format === "date-time") return base + ", date-time";
  return base;
}

function bounds(schema) {
  const parts = [];
  if (schema.minimum !== undefined && schema.maximum !== undefined) parts.push(schema.minimum + " to " + schema.maximum);
  else if (schema.minimum !== undefined) parts.push("at least " + schema.minimum);
  if (schema.maxLength !== undefined) parts.push("up to " + schema.maxLength + " bytes");
  return parts.join(", ");
}

function members(schema, seen) {
  const required = new Set(schema.required || []);
  const list = make("ul", { class: "tree" });
  for (const [name, member] of Object.entries(schema.properties || {})) {
    const inner = resolve(member);
    list.append(make("li", {}, make("code", {}, name), " ", make("span", { class: "soft" }, typeOf(member)),
      required.has(name) ? null : make("span", { class: "soft" }, ", optional"),
      inner.description ? make("span", { class: "soft" }, ". ", ...prose(inner.description, "span")) : null,
      nested(member, seen)));
  }
  return list;
}

function nested(node, seen) {
  const name = nameOf(node);
  if (name && seen.includes(name)) return null;
  const path = name ? [...seen, name] : seen;
  const schema = resolve(node);
  if (schema.type === "array" && schema.items) return nested(schema.items, path);
  if (schema.oneOf) {
    const parts = schema.oneOf.map((part) => nested(part, path)).filter(Boolean);
    return parts.length ? make("div", {}, ...parts) : null;
  }
  if (!schema.properties) return null;
  return make("details", {}, make("summary", {}, "members of " + (name || "the object")), members(schema, path));
}

function drawSchema(node) {
  const schema = resolve(node);
  const box = make("div", {});
  const title = nameOf(node);
  box.append(make("p", {}, title ? make("a", { href: "#schema-" + title }, title) : "", " ",
    make("span", { class: "soft" }, schema.properties ? schema.description || "" : typeOf(node))));
  if (schema.properties) box.append(members(schema, title ? [title] : []));
  else {
    const inner = nested(node, []);
    if (inner) box.append(inner);
  }
  return box;
}

function sample(text) {
  const button = make("button", { type: "button" }, "copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      button.textContent = "select and copy";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
  return make("div", { class: "sample" }, make("pre", {}, make("code", {}, text)), button);
}

const quoted = (text) => "'" + String(text).replaceAll("'", "'\\''") + "'";

function jsonText(value) {
  const flat = JSON.stringify(value);
  return flat.length <= 90 ? flat : JSON.stringify(value, null, 2);
}

function curlLines(verb, path, operation) {
  const parameters = operation.parameters || [];
  let target = path;
  const query = [];
  for (const parameter of parameters) {
    const value = [].concat(parameter.example ?? [])[0];
    if (parameter.in === "path") target = target.replace("{" + parameter.name + "}", value ?? "1");
    else if (parameter.required) query.push("  --data-urlencode " + quoted(parameter.name + "=" + value));
  }
  const optional = parameters.find((p) => p.in === "query" && !p.required && p.example !== undefined);
  if (optional) query.push("  --data-urlencode " + quoted(optional.name + "=" + [].concat(optional.example)[0]));
  const streams = Boolean(((operation.responses["200"] || {}).content || {})["text/event-stream"]);
  const lines = ["curl -s" + (streams ? "N" : "") + (query.length ? "G " : " ") + (verb === "post" ? "-X POST " : "") + quoted(location.origin + target), ...query];
  const body = operation.requestBody && operation.requestBody.content["application/json"];
  if (!body) return [lines.join(" \\\n")];
  return Object.values(body.examples || {}).map((example) => [...lines, "  -H 'Content-Type: application/json'",
    "  -d " + quoted(jsonText(resolve(example).value))].join(" \\\n"));
}

function drawParameters(parameters) {
  return make("table", {}, make("tbody", {}, ...parameters.map((parameter) => {
    const outer = resolve(parameter.schema);
    const schema = outer.type === "array" ? resolve(outer.items) : outer;
    // A named schema says in words what it takes.
    const kind = schema.description || typeOf(outer.type === "array" ? outer.items : parameter.schema);
    const facts = [kind, outer.type === "array" ? "repeatable" : "", bounds(schema), parameter.in === "path" ? "in the path" : ""];
    return make("tr", {},
      make("td", {}, make("code", {}, parameter.name), parameter.required ? make("span", { class: "need" }, "required") : null),
      make("td", {}, ...prose(parameter.description, "div"), make("div", { class: "soft" }, facts.filter(Boolean).join(" · "))));
  })));
}

function drawResponses(responses) {
  return make("table", {}, make("tbody", {}, ...Object.entries(responses).map(([status, reference]) => {
    const response = resolve(reference);
    const contents = Object.entries(response.content || {});
    return make("tr", {},
      make("td", {}, make("span", { class: status.startsWith("2") ? "status ok" : "status" }, status)),
      make("td", {}, ...prose(response.description, "div"),
        ...contents.map(([type, media]) => make("div", {}, make("span", { class: "soft" }, type), status.startsWith("2") ? drawSchema(media.schema)
          : make("span", { class: "soft" }, " ", make("a", { href: "#schema-" + nameOf(media.schema) }, nameOf(media.schema) || ""))))));
  })));
}

function drawOperation(verb, path, operation) {
  const inner = make("div", { class: "inner" }, ...prose(operation.description));
  if (operation.parameters) inner.append(make("h3", {}, "Parameters"), drawParameters(operation.parameters));
  if (operation.requestBody) {
    inner.append(make("h3", {}, "Body"));
    for (const [type, media] of Object.entries(operation.requestBody.content)) {
      inner.append(make("span", { class: "soft" }, type), drawSchema(media.schema));
    }
  }
  inner.append(make("h3", {}, "Example"), ...curlLines(verb, path, operation).map(sample));
  inner.append(make("h3", {}, "Responses"), drawResponses(operation.responses));
  const box = make("details", { class: "operation", id: operation.operationId },
    make("summary", {}, make("span", { class: "verb " + verb }, verb.toUpperCase()), make("span", { class: "path" }, path),
      make("span", { class: "title" }, operation.summary)), inner);
  box.dataset.text = [verb, path, operation.summary, operation.description, ...(operation.tags || [])].join(" ").toLowerCase();
  return box;
}

function drawTag(tag) {
  const section = make("section", {}, make("h2", {}, tag.name), ...prose(tag.description));
  const links = make("div", {}, make("h2", {}, tag.name));
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const verb of verbs.filter((candidate) => item[candidate] && item[candidate].tags.includes(tag.name))) {
      section.append(drawOperation(verb, path, item[verb]));
      const link = make("a", { href: "#" + item[verb].operationId }, make("span", { class: "verb " + verb }, verb.toUpperCase()), make("span", { class: "path" }, path));
      link.dataset.for = item[verb].operationId;
      links.append(link);
    }
  }
  document.getElementById("operations").append(section);
  document.getElementById("nav").append(links);
}

function drawSchemas() {
  const section = document.getElementById("schemas");
  for (const [name, schema] of Object.entries(spec.components.schemas)) {
    const box = make("details", { class: "schema", id: "schema-" + name }, make("summary", {}, name),
      ...prose(schema.properties ? "" : schema.description), drawSchema({ $ref: "#/components/schemas/" + name }));
    if (schema.examples) box.append(sample(JSON.stringify(schema.examples[0], null, 2)));
    section.append(box);
  }
  section.hidden = false;
}

function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
}

function applyFilter() {
  const words = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const box of document.querySelectorAll("details.operation")) {
    box.hidden = !words.every((word) => box.dataset.text.includes(word));
    document.querySelector(`nav a[data-for="${box.id}"]`).hidden = box.hidden;
  }
  for (const group of document.querySelectorAll("#operations > section, nav > div")) {
    group.hidden = !group.querySelector("details.operation:not([hidden]), a:not([hidden])");
  }
}

async function start() {
  const state = document.getElementById("state");
  try {
    const reply = await fetch("/openapi.json");
    if (!reply.ok) throw new Error("status " + reply.status);
    spec = await reply.json();
    document.getElementById("version").textContent = spec.info.version;
    document.getElementById("intro").append(...prose(spec.info.description));
    spec.tags.forEach(drawTag);
    drawSchemas();
    state.hidden = true;
  } catch (error) {
    state.textContent = "/openapi.json could not be shown: " + error.message + ". Reload the page; if it stays, read the daemon's log.";
    state.className = "failed";
    return;
  }
  document.getElementById("filter").addEventListener("input", applyFilter);
  window.addEventListener("hashchange", openTarget);
  openTarget();
}

start();
