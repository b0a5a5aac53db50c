/** A page by Svelte that has the package from npm. */
import "elf-playground/element";
import { mount } from "svelte";
import Page from "./Page.svelte";

mount(Page, { target: document.getElementById("root") });
