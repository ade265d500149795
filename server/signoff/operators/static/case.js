// The case page: what its parts need, each in a module of its own.
import "./page.js";
import "./reveal.js";
import "./items.js";
import "./conditions.js";
import "./validate.js";
import "./live_diff.js";
import "./questions.js";
import "./keyboard.js";
