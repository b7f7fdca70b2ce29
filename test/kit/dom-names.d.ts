/** The names of the DOM that the types of playwright and axe mention. Elements are a page's affair: here nothing is known of them. */

declare type Node = object;
declare type HTMLElement = object;
declare type SVGElement = object;
declare type HTMLElementTagNameMap = Readonly<Record<string, HTMLElement>>;
declare type Element = object;
declare type NodeList = object;
declare type DOMRect = object;
declare type Document = object;
declare type Window = object;
