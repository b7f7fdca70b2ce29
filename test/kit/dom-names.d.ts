/** The names of the DOM that playwright's types mention. Elements are a page's affair: here nothing is known of them. */

declare type Node = object;
declare type HTMLElement = object;
declare type SVGElement = object;
declare type HTMLElementTagNameMap = Readonly<Record<string, HTMLElement>>;
