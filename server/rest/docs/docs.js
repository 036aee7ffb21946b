// Shows openapi.json of the server that this page comes from, and sends requests to it.
// Everything is made as nodes of the document, never as HTML text: a description cannot run.
"use strict";

const VERBS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
const SHOWN_MAX = 400000; // characters of an answer

let api = null;

// element("p", {class: "quiet"}, "text", node, …)
function element(name, attributes, ...children) {
	const made = document.createElement(name);
	for (const [key, value] of Object.entries(attributes || {})) {
		if (typeof value === "function")
			made.addEventListener(key, value);
		else if (value !== false && value !== undefined && value !== null)
			made.setAttribute(key, value === true ? "" : value);
	}
	made.append(...children.flat().filter((child) => child !== null && child !== undefined));
	return made;
}

// Text with `code` in it.
function inline(text) {
	return text.split(/(`[^`]+`)/).map((part) =>
		part.length > 2 && part.startsWith("`") && part.endsWith("`")
			? element("code", null, part.slice(1, -1)) : part);
}

// Paragraphs and lists: as much of Markdown as comments have.
function prose(text) {
	const out = element("div", {class: "prose"});
	for (const block of (text || "").split(/\n\s*\n/)) {
		let list = null;
		let words = [];
		const flush = () => {
			if (words.length > 0)
				out.append(element("p", null, inline(words.join(" "))));
			words = [];
		};
		for (const line of block.split("\n")) {
			if (line.startsWith("- ")) {
				flush();
				if (list === null)
					out.append(list = element("ul"));
				list.append(element("li", null, inline(line.slice(2))));
			} else if (list !== null && list.lastChild !== null) {
				list.lastChild.append(" ", ...inline(line.trim()));
			} else if (line.trim() !== "") {
				words.push(line.trim());
			}
		}
		flush();
	}
	return out;
}

function resolve(schema) {
	let at = schema;
	for (let i = 0; i < 16 && at && at.$ref; i++)
		at = at.$ref.slice(2).split("/").reduce((node, key) =>
			node && node[key.replaceAll("~1", "/").replaceAll("~0", "~")], api);
	return at || {};
}

function refName(schema) {
	return schema && schema.$ref ? schema.$ref.split("/").pop() : null;
}

function shortName(name) {
	return name.split(".").pop();
}

// What a schema is, in a few words, with links.
function typeOf(schema) {
	if (!schema || schema === true)
		return ["anything"];
	const name = refName(schema);
	if (name !== null)
		return [element("a", {href: "#schema-" + name}, shortName(name))];
	const choices = (schema.anyOf || schema.oneOf || []).filter((one) => one.type !== "null");
	if (choices.length > 0)
		return choices.flatMap((one, i) => i === 0 ? typeOf(one) : [" or ", ...typeOf(one)]);
	if (schema.enum)
		return [schema.enum.map((value) => JSON.stringify(value)).join(", ")];
	const type = [schema.type].flat().filter((one) => one && one !== "null").join(" or ");
	if (type === "array")
		return ["list of ", ...typeOf(schema.items)];
	if (schema.additionalProperties && !schema.properties)
		return ["map to ", ...typeOf(schema.additionalProperties)];
	return [(type || "anything") + (schema.format ? " (" + schema.format + ")" : "")];
}

function row(name, schema, description, required) {
	return element("div", null,
		element("dt", null, element("span", {class: "name"}, name), " ",
			required ? element("span", {class: "must"}, "required") : null,
			element("span", {class: "type"}, typeOf(schema))),
		element("dd", null, prose(description)));
}

function fields(schema) {
	const properties = Object.entries(schema.properties || {});
	if (properties.length === 0)
		return schema.enum ? element("p", {class: "mono"}, schema.enum.join(", "))
			: element("p", {class: "quiet"}, "No fields.");
	return element("dl", {class: "fields"}, properties.map(([name, field]) =>
		row(name, field, field.description, (schema.required || []).includes(name))));
}

// A first body to be changed: what is required, or what there is.
function example(schema, depth) {
	const at = resolve(schema);
	const any = (at.anyOf || at.oneOf || [])[0];
	if (any)
		return example(any, depth);
	if (at.enum)
		return at.enum[0];
	const type = [at.type].flat()[0];
	if (type === "object") {
		const out = {};
		const required = at.required || [];
		for (const [name, field] of Object.entries(at.properties || {}))
			if (depth < 3 && (required.includes(name) || (required.length === 0 && depth < 1)))
				out[name] = example(field, depth + 1);
		return out;
	}
	if (type === "array")
		return [];
	return {string: at.format === "date-time" ? "2026-01-02T03:04:05Z"
		: at.format === "duration-seconds" ? "1.5s" : (at.format || "").endsWith("int64") ? "0" : "",
		integer: 0, number: 0, boolean: false}[type] ?? null;
}

// A place for the value of a parameter; its `read` gives the texts for the query or path.
function control(parameter) {
	const schema = resolve(parameter.schema);
	const type = [schema.type].flat()[0];
	const label = element("label", null, element("span", {class: "mono"}, parameter.name), " ",
		parameter.required ? element("span", {class: "must"}, "required") : null);
	let input;
	if (schema.enum || type === "boolean")
		input = element("select", null, element("option", {value: ""}, "—"),
			(schema.enum || ["true", "false"]).map((value) => element("option", null, String(value))));
	else if (type === "array" || type === "object")
		input = element("textarea", {rows: 2,
			placeholder: type === "array" ? "one a line" : "key=value, one a line"});
	else
		input = element("input", {type: "text", autocomplete: "off",
			placeholder: schema.format || type || "", required: parameter.in === "path"});
	label.append(input);
	label.read = () => type === "array" || type === "object"
		? input.value.split("\n").filter((line) => line !== "") : input.value === "" ? [] : [input.value];
	label.isMap = type === "object";
	return label;
}

function target(operation, controls) {
	let path = operation.path;
	const query = new URLSearchParams();
	operation.parameters.forEach((parameter, i) => {
		for (const text of controls[i].read()) {
			if (parameter.in === "path") {
				path = path.replace("{" + parameter.name + "}", encodeURIComponent(text));
			} else if (controls[i].isMap) {
				const cut = text.indexOf("=");
				query.append(parameter.name + "[" + text.slice(0, cut < 0 ? undefined : cut) + "]",
					cut < 0 ? "" : text.slice(cut + 1));
			} else {
				query.append(parameter.name, text);
			}
		}
	});
	path = path.replace(/\{[^}]*\}/g, "");
	const text = query.toString();
	return new URL(path.slice(1) + (text ? "?" + text : ""),
		document.baseURI.replace(/[^/]*$/, "")).href;
}

function quote(text) {
	return "'" + text.replaceAll("'", "'\\''") + "'";
}

function pretty(text) {
	try {
		return JSON.stringify(JSON.parse(text), null, 2);
	} catch (error) {
		return text;
	}
}

// The answer piece by piece, so that a stream is seen as it comes. True: all of it was read.
async function readAnswer(response, output) {
	const reader = response.body.getReader();
	const decoder = new TextDecoder();
	let size = 0;
	for (;;) {
		const {done, value} = await reader.read();
		const text = done ? decoder.decode() : decoder.decode(value, {stream: true});
		size += text.length;
		output.append(text);
		if (done)
			return true;
		if (size > SHOWN_MAX) {
			reader.cancel();
			output.append("\n… more is not shown");
			return false;
		}
	}
}

function tryForm(operation) {
	const controls = operation.parameters.map(control);
	const body = operation.body === null ? null : element("textarea", {class: "body", spellcheck: "false"},
		JSON.stringify(example(operation.body, 0), null, 2));
	const status = element("p", {role: "status"});
	const curl = element("pre", {hidden: true, "aria-label": "The same with curl"});
	const output = element("pre", {hidden: true, tabindex: 0, "aria-label": "Answer"});
	const send = element("button", {class: "go", type: "submit"}, "Send");
	let abort = null;
	const stop = element("button", {type: "button", disabled: true, click: () => abort && abort.abort()}, "Stop");

	async function submit(event) {
		event.preventDefault();
		const url = target(operation, controls);
		const options = {method: operation.verb, headers: {}, redirect: "manual", cache: "no-store"};
		if (body !== null) {
			options.body = body.value;
			options.headers["Content-Type"] = "application/json";
		}
		curl.textContent = "curl -X " + operation.verb + " " + quote(url) +
			(body === null ? "" : " -d " + quote(body.value));
		curl.hidden = output.hidden = false;
		output.textContent = "";
		status.textContent = "Waiting…";
		send.disabled = true;
		stop.disabled = false;
		abort = new AbortController();
		const begin = performance.now();
		try {
			const response = await fetch(url, {...options, signal: abort.signal});
			status.replaceChildren(element("span", {class: "status " + (response.ok ? "good" : "bad")},
				response.status + " " + response.statusText), " ",
				element("span", {class: "quiet"}, (response.headers.get("Content-Type") || "") + ", " +
					Math.round(performance.now() - begin) + " ms"));
			if (await readAnswer(response, output) && !operation.streaming)
				output.textContent = pretty(output.textContent);
		} catch (error) {
			const word = element("span", {class: "status bad"},
				error.name === "AbortError" ? "Stopped" : "No answer: " + error.message);
			if (error.name === "AbortError" && output.textContent !== "")
				status.append(", ", word);
			else
				status.replaceChildren(word);
		}
		send.disabled = false;
		stop.disabled = true;
	}

	return element("form", {class: "try", submit},
		controls.length > 0 ? element("div", {class: "grid"}, controls) : null,
		body === null ? null : element("label", null, "Body, JSON", body),
		element("div", {class: "buttons"}, send, stop), status, curl, output);
}

function badge(verb) {
	return element("span", {class: "verb " + verb.toLowerCase()}, verb);
}

function answers(operation) {
	const out = [];
	for (const [status, given] of Object.entries(operation.responses)) {
		const response = resolve(given);
		const [type, content] = Object.entries(response.content || {})[0] || ["", {}];
		out.push(element("div", null,
			element("dt", null, element("span", {class: "name"}, status),
				element("span", {class: "type"}, type)),
			element("dd", null, prose(response.description),
				operation.streaming && status === "200"
					? element("p", {class: "type"}, "each line: ",
						typeOf(resolve(content.schema).oneOf?.[0].properties.result), " as result")
					: element("p", {class: "type"}, typeOf(content.schema)))));
	}
	return element("dl", {class: "fields"}, out);
}

// What is inside of an operation is made when it is opened first.
function operationInside(operation) {
	const inside = element("div", {class: "inside"}, prose(operation.description));
	if (operation.others.length > 0)
		inside.append(element("p", {class: "quiet"}, "Also as ", operation.others.flatMap((other, i) =>
			[i > 0 ? ", " : "", element("code", null, other.verb + " " + other.path)])));
	if (operation.method)
		inside.append(element("p", {class: "quiet"}, "In gRPC: ", element("code", null, operation.method)));
	if (operation.parameters.length > 0)
		inside.append(element("h3", null, "Parameters"), element("dl", {class: "fields"},
			operation.parameters.map((parameter) => row(parameter.name + (parameter.in === "path" ? " (path)" : ""),
				parameter.schema, parameter.description, parameter.required))));
	if (operation.body !== null)
		inside.append(element("h3", null, "Body: ", typeOf(operation.body)), fields(resolve(operation.body)));
	inside.append(element("h3", null, "Answers"), answers(operation),
		element("h3", null, "Try it"), tryForm(operation));
	return inside;
}

function card(id, summary, makeInside) {
	const made = element("details", {class: "card", id}, element("summary", null, summary));
	made.addEventListener("toggle", () => {
		if (made.open && made.children.length === 1)
			made.append(makeInside());
	});
	return made;
}

function collect() {
	const all = [];
	for (const [path, item] of Object.entries(api.paths)) {
		const verbs = VERBS.filter((verb) => item[verb]).map((verb) => [verb.toUpperCase(), item[verb]]);
		for (const [verb, given] of [...verbs, ...Object.entries(item["x-additionalOperations"] || {})]) {
			const content = given.requestBody && Object.values(given.requestBody.content)[0];
			all.push({verb, path, id: given.operationId, tag: (given.tags || [""])[0],
				summary: given.summary || "", description: given.description || "",
				method: given["x-grpc-method"], streaming: given["x-streaming"] === true,
				parameters: given.parameters || [], body: content ? content.schema : null,
				responses: given.responses, others: []});
		}
	}
	// One card for a method; its other bindings are named in it.
	const first = new Map();
	return all.filter((operation) => {
		const main = operation.method && first.get(operation.method);
		if (main)
			main.others.push(operation);
		else
			first.set(operation.method, operation);
		return !main;
	});
}

function entry(href, words, ...label) {
	return element("li", {"data-words": words.toLowerCase()}, element("a", {href}, label));
}

function showService(tag, operations, main, contents) {
	main.append(element("h2", {id: "service-" + tag.name}, tag.name), prose(tag.description));
	contents.append(element("h2", null, tag.name), element("ul", null, operations.map((operation) =>
		entry("#" + operation.id, [operation.verb, operation.path, operation.id, operation.summary].join(" "),
			badge(operation.verb), element("span", null, operation.id.replace(/^[^_]*_/, ""))))));
	for (const operation of operations)
		main.append(card(operation.id, [badge(operation.verb),
			element("span", {class: "path"}, operation.path),
			operation.streaming ? element("span", {class: "stream"}, "stream") : null,
			element("span", {class: "quiet"}, inline(operation.summary))],
			() => operationInside(operation)));
}

function showSchemas(main, contents) {
	const schemas = Object.entries((api.components || {}).schemas || {})
		.sort((a, b) => shortName(a[0]).localeCompare(shortName(b[0])));
	main.append(element("h2", {id: "schemas"}, "Schemas"));
	contents.append(element("h2", null, "Schemas"), element("ul", null, schemas.map(([name]) =>
		entry("#schema-" + name, name, shortName(name)))));
	for (const [name, schema] of schemas)
		main.append(card("schema-" + name, [element("span", {class: "name"}, shortName(name)),
			element("span", {class: "quiet"}, name)],
			() => element("div", {class: "inside"}, prose(schema.description), fields(schema))));
}

function show() {
	const main = document.getElementById("main");
	const contents = document.getElementById("contents");
	const operations = collect();
	document.title = api.info.title;
	document.getElementById("title").textContent = api.info.title;
	document.getElementById("version").textContent = api.info.version;
	main.replaceChildren(prose(api.info.description));
	for (const tag of api.tags || [])
		showService(tag, operations.filter((operation) => operation.tag === tag.name), main, contents);
	showSchemas(main, contents);
}

// Opens what the address points to.
function follow() {
	const id = decodeURIComponent(location.hash.slice(1));
	const at = id === "" ? null : document.getElementById(id);
	if (at === null)
		return;
	if (at.tagName === "DETAILS")
		at.open = true;
	if (matchMedia("(max-width: 52rem)").matches)
		document.getElementById("menu").open = false;
	at.scrollIntoView();
}

function find(event) {
	const words = event.target.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
	for (const item of document.querySelectorAll("#contents li"))
		item.hidden = !words.every((word) => item.dataset.words.includes(word));
}

// Auto, light, dark, and again; kept for the next visit where the browser lets us.
function setTheme(theme) {
	const button = document.getElementById("theme");
	if (theme === "auto")
		delete document.documentElement.dataset.theme;
	else
		document.documentElement.dataset.theme = theme;
	button.textContent = theme[0].toUpperCase() + theme.slice(1);
	button.setAttribute("aria-label", "Colours: " + (theme === "auto" ? "as the system has them" : theme));
	try {
		localStorage.setItem("theme", theme);
	} catch (error) {
		// Private windows keep nothing.
	}
}

function theTheme() {
	try {
		const kept = localStorage.getItem("theme");
		return ["light", "dark"].includes(kept) ? kept : "auto";
	} catch (error) {
		return "auto";
	}
}

async function start() {
	setTheme(theTheme());
	document.getElementById("theme").addEventListener("click", () =>
		setTheme({auto: "light", light: "dark", dark: "auto"}[document.documentElement.dataset.theme || "auto"]));
	document.getElementById("find").addEventListener("input", find);
	if (matchMedia("(max-width: 52rem)").matches)
		document.getElementById("menu").open = false;
	try {
		const response = await fetch("openapi.json");
		if (!response.ok)
			throw new Error("status " + response.status);
		api = await response.json();
	} catch (error) {
		document.getElementById("state").textContent = "openapi.json cannot be read: " + error.message;
		return;
	}
	show();
	addEventListener("hashchange", follow);
	// The same address once more, too.
	document.addEventListener("click", (event) => {
		const link = event.target.closest("a[href^='#']");
		if (link !== null && link.getAttribute("href") === location.hash)
			follow();
	});
	follow();
}

start();
