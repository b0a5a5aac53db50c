/** As much of an element, or of a text, as preact asks for: enough of a document to draw views without a browser. */
export class TestNode extends EventTarget {
  [name: string]: unknown;
  readonly nodeType = 1;
  readonly namespaceURI = "http://www.w3.org/1999/xhtml";
  readonly style = {};
  readonly attributes: unknown[] = [];
  parentNode: TestNode | null = null;
  childNodes: TestNode[] = [];

  constructor(readonly localName: string) {
    super();
  }
  get firstChild(): TestNode | null {
    return this.childNodes[0] ?? null;
  }
  get nextSibling(): TestNode | null {
    const { childNodes = [] } = this.parentNode ?? {};
    return childNodes[childNodes.indexOf(this) + 1] ?? null;
  }
  insertBefore(child: TestNode, before: TestNode | null) {
    child.remove();
    const at = before ? this.childNodes.indexOf(before) : this.childNodes.length;
    this.childNodes.splice(at, 0, child);
    child.parentNode = this;
  }
  remove() {
    this.parentNode?.childNodes.splice(this.parentNode.childNodes.indexOf(this), 1);
    this.parentNode = null;
  }
  setAttribute(name: string, value: string) {
    this[name] = value;
  }
  removeAttribute(name: string) {
    delete this[name];
  }
  /** This one and all in it of which `is` is true, in the order of the document. */
  all(is: (node: TestNode) => boolean): TestNode[] {
    return [...(is(this) ? [this] : []), ...this.childNodes.flatMap((child) => child.all(is))];
  }
  /** This one and those that it lies in, from the inside out. */
  get path(): TestNode[] {
    return [this, ...(this.parentNode?.path ?? [])];
  }
}

/** What `document` is to preact, with nodes that `make` makes. */
export function testDocument(make: (name: string) => TestNode) {
  return {
    createElement: make,
    createElementNS: (_: string, name: string) => make(name),
    createTextNode: (data: string) => Object.assign(make("#text"), { data }),
  };
}
