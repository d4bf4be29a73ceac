// Returns the accessibility problems of a page as a list of sentences, by those rules of axe-core 4 that need only the page.
const problems = [];
const say = (rule, element, why) => problems.push(`${rule}: ${element ? element.outerHTML.slice(0, 120) : "the page"} ${why}`);
const all = (selector) => [...document.querySelectorAll(selector)];
const isSeen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });

// The accessible name of an element, as screen readers use it.
const nameOf = (element) => {
    const labelled = (element.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean);
    const texts = [
        element.getAttribute("aria-label"),
        ...labelled.map((id) => document.getElementById(id)?.textContent),
        ...[...(element.labels || [])].map((label) => label.textContent),
        element.matches("input[type=submit], input[type=button]") ? element.value : "",
        element.matches("svg") ? element.querySelector(":scope > title")?.textContent : "",
        element.matches("input, select, textarea, svg") ? "" : element.textContent,
        element.getAttribute("title"),
        element.getAttribute("alt"),
    ];
    return texts.find((text) => text && text.trim()) || "";
};

if (!document.documentElement.lang) say("html-has-lang", null, "has no language");
if (!document.title.trim()) say("document-title", null, "has no title");
if (all("main").length !== 1) say("landmark-one-main", null, `has ${all("main").length} main parts`);
if (all("h1").filter(isSeen).length !== 1) say("page-has-heading-one", null, `has ${all("h1").length} first headings`);
if (!/width=device-width/.test(all("meta[name=viewport]")[0]?.content)) say("meta-viewport", null, "does not fit a phone");
if (/user-scalable=no|maximum-scale=1\b/.test(all("meta[name=viewport]")[0]?.content)) say("meta-viewport", null, "cannot be made larger");
if (!all("a[href^='#']").length) say("bypass", null, "has nothing that leads past its navigation");

let level = 1;
for (const heading of all("h1, h2, h3, h4, h5, h6").filter(isSeen)) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) say("heading-order", heading, `comes after a heading of level ${level}`);
    level = own;
}

const ids = all("[id]").map((element) => element.id);
ids.filter((id, n) => ids.indexOf(id) !== n).forEach((id) => say("duplicate-id", document.getElementById(id), "is not the only one of its id"));

for (const element of all("a[href], button, input:not([type=hidden]), select, textarea, summary, svg[role=img], svg[role=group], nav, [role=region]")) {
    if (!nameOf(element) && !element.closest("[aria-hidden=true]")) say("name", element, "has no name");
}
for (const element of all("img:not([alt])")) say("image-alt", element, "has no text in its place");
for (const element of all("svg:not([role=img]):not([role=group]):not([aria-hidden=true])")) say("svg-img-alt", element, "is neither a picture with a name nor hidden");
for (const element of all("[tabindex]")) if (element.tabIndex > 0) say("tabindex", element, "is out of the order of the page");
for (const element of all("[aria-hidden=true] a[href], [aria-hidden=true] button, [aria-hidden=true] input")) say("aria-hidden-focus", element, "is hidden and can be reached");
for (const element of all("th:not([scope])")) say("th-has-data-cells", element, "does not say what it is the head of");
for (const element of all("li")) if (!element.parentElement.matches("ul, ol, menu")) say("listitem", element, "is in no list");
for (const element of all("ul > *, ol > *")) if (!element.matches("li, script, template")) say("list", element, "is no item of its list");
for (const element of all("dt, dd")) if (!element.closest("dl")) say("dlitem", element, "is in no list of terms");
for (const element of all("body > *")) {
    const isLandmark = element.matches("header, nav, main, footer, aside, script, template, a[href^='#'], [role=status]");
    if (!isLandmark && isSeen(element) && element.textContent.trim()) say("region", element, "is in no part of the page that has a role");
}

// Contrast by WCAG 2.2, 1.4.3: 4.5, or 3 for large text.
const parse = (colour) => {
    const numbers = (colour.match(/[\d.]+/g) || []).map(Number);
    return colour.startsWith("color(srgb") ? [...numbers.slice(0, 3).map((it) => it * 255), numbers[3] ?? 1] : [...numbers.slice(0, 3), numbers[3] ?? 1];
};
const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
        const colour = parse(getComputedStyle(one).backgroundColor);
        layers.push(colour);
        if (colour[3] === 1) break;
    }
    const page = matchMedia("(prefers-color-scheme: dark)").matches && getComputedStyle(document.documentElement).colorScheme.includes("dark") ? [18, 18, 18] : [255, 255, 255];
    return layers.reverse().reduce((below, layer) => over(layer, below), page);
};
const light = (colour) => {
    const [r, g, b] = colour.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const seen = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || seen.has(element) || !isSeen(element) || element.closest("script, style, [aria-hidden=true], :disabled")) continue;
    seen.add(element);
    const style = getComputedStyle(element);
    const below = ground(element);
    const isDrawn = element instanceof SVGElement;
    const ink = over(parse(isDrawn ? style.fill : style.color), below);
    const [bright, dark] = [light(ink), light(below)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const contrast = (bright + 0.05) / (dark + 0.05);
    // The background of a text in a picture is a separate shape, which this does not find.
    if (!isDrawn && contrast < wanted) say("color-contrast", element, `has a contrast of ${contrast.toFixed(2)}, and ${wanted} is wanted`);
}
if (document.documentElement.scrollWidth > innerWidth + 1) say("reflow", null, `is ${document.documentElement.scrollWidth} wide where there are ${innerWidth}`);
return problems;
