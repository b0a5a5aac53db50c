import { formatBytes } from "../../delivery/bytes";
import { ENGLISH_COMPARE } from "../../player/compare/words";
import { ENGLISH_LENSES } from "../../player/lenses/words";
import { ENGLISH as PLAYER_ENGLISH } from "../../player/words";
import { countingIn } from "./counting";
import type { Language } from "./languages";

const count = countingIn("en");
const number = new Intl.NumberFormat("en").format;
// As the British write it, without a comma before the last.
const anyOf = (names: readonly string[]) => new Intl.ListFormat("en-GB", { type: "disjunction" }).format(names);

/** All that the page says, room by room. `Words`, which every other language has to fill, is read off it. */
export const ENGLISH = {
  language: "en" as Language,
  /** What the tab is called; null where it is as `index.html` has it. */
  title: null as string | null,
  player: PLAYER_ENGLISH,
  lenses: ENGLISH_LENSES,
  compare: ENGLISH_COMPARE,
  bytes: (bytes: number) => formatBytes(bytes),

  groups: {
    Writing: "Writing",
    Time: "Time",
    View: "View",
    Presets: "Presets",
    Experiments: "Experiments",
    Runs: "Runs",
    Models: "Models",
  },

  /** As they stand on keyboards. */
  keys: { Control: "Ctrl", Shift: "Shift", " ": "Space", Escape: "Esc", Home: "Home", End: "End" },

  /** What each action does, as the list of shortcuts says it, by its id. */
  actions: {
    generate: "Generate a text",
    cancel: "Cancel; what was written stays",
    fork: "Go on from the step shown, with the settings as they stand",
    "hold-token": "Hold the word looked at in the next run, or let it go",
    "let-all-go": "Let all held words go",
    "adopt-run": "Take settings, seed, prompt and held words from the run shown",
    "new-seed": "Draw a new seed",
    "lock-seed": "Keep the seed for every run, or let it go",
    undo: "Take back the last change of settings, prompt or held words",
    redo: "Make the change again that was taken back",
    "play-pause": "Play or pause",
    "step-back": "One step towards noise",
    "step-forward": "One step towards text",
    "to-start": "Back to pure noise",
    "to-end": "On to the newest step",
    slower: "Play slower",
    faster: "Play faster",
    "switch-reading": "Switch between what it holds and what it expects",
    "switch-axis": "Lay the track out even in t or even in steps",
    "next-lens": "Look through the next lens: paths, certainty, schedule, numbers, none",
    "switch-theme": "Switch between system, light and dark",
    "switch-language": "Switch the language (Sprache): English, Deutsch",
    "newer-run": "Show the newer run on the shelf",
    "older-run": "Show the older run on the shelf",
    "show-models": "Show the models",
    "show-parent": "Show the run that this one goes on from, at that step",
    "copy-link": "Copy a link to the run shown; it tells how to write it",
    "save-run": "Save the run shown: as text, as a file that opens again, as a picture",
    "open-file": "Open a file: a run, a shelf of them, or a picture of one",
    "copy-embed": "Copy the run shown as a piece of another page: an element, a frame, Markdown",
    "open-documentation": "Open the documentation",
    "show-legend": "Show what the marks in the text mean",
    "open-palette": "Find anything that can be done by its name",
    "show-shortcuts": "Show this list",
    "show-experiments": "Show the experiments: runs that differ in one or two settings, side by side",
    "close-comparison": "Back from runs side by side to one",
    "take-tour": "Take the tour, or go on with it: how a text comes about, in seven stops",
  },

  /** What keeps something from being done now. */
  whyNot: {
    noRun: "There is no run to show yet.",
    ofOthers: "It takes a run of the model in use.",
    loading: "The model is being loaded.",
    notWriting: "Nothing is being written.",
    fork: "It takes a run of the model in use, before its last step, and settings that can be used.",
    noWordLookedAt: "Look at a word of the text first.",
    nothingHeld: "No word is held.",
    nothingChanged: "Nothing was changed on this visit.",
    nothingTakenBack: "Nothing was taken back.",
    atNoise: "The run shown stands at pure noise.",
    atNewest: "The run shown stands at its newest step.",
    slowest: "It plays as slowly as it can.",
    fastest: "It plays as fast as it can.",
    noNewer: "No newer run is on the shelf.",
    noOlder: "No older run is on the shelf.",
    noParent: "The run shown goes on from no other on the shelf.",
    noComparison: "No runs stand side by side.",
    otherwise: "It cannot be done now.",
    noModel: "Nothing is known of the model yet.",
  },

  /** What was done that cannot be seen otherwise. */
  said: {
    linkCopied: "The link is copied. It tells how this run is written, and no more.",
    experimentCopied: "The link is copied. It makes this experiment again.",
    addModelFirst: "Whoever opens it has to add this model first.",
    linkInBar: "The link stands in the address bar, to be copied from there.",
    linkNotCopied: (href: string) => `This browser lets nothing be copied here. The link: ${href}`,
    embedCopied: "Copied: the run as an element, as a frame, and as Markdown, to be pasted into another page.",
    notCopied: "This browser lets nothing be copied here.",
    adopted: "Settings, seed and held words are those of this run.",
    adoptedStart:
      "Settings, seed and held words are those of this run. The next one begins at the noise of its seed alone.",
    otherModel: (name: string) => `This picture is of a run by ${name}. Turn to that model (M), then open it again.`,
    tooManyLetters: (letters: number) => `${number(letters)} letters are too many for a prompt, which stays as it was.`,
    saved: (file: string) => `Saved as ${file}.`,
    notSaved: (why: string) => why,
    leftOut: (runs: number) =>
      `${count(runs, "run cannot be read now and is", "runs cannot be read now and are")} left out. Reload the page and save again.`,
    languageMissing: (language: string) => `The words of ${language} cannot be loaded. The page speaks on as it did.`,
    notHandedOut:
      "The browser does not hand that run out now. Reload the page: a newer one may be open in another tab.",
    noLongerKept: "The browser keeps that run no longer. Its recipe is left: it can be written again.",
    textsStay: "The run is on the shelf. The texts shown are on none, and stay until you close them (C).",
    pageForgotten: "The page is no longer kept. The next visit keeps it again.",
  },

  palette: {
    title: "Find a command",
    field: "What to do",
    list: "Commands",
    none: "Nothing is called that.",
    found: (commands: number) => count(commands, "command", "commands"),
    more: (commands: number) => `${number(commands)} more: a word of them finds them.`,
    preset: (name: string) => `Preset: ${name}`,
    sameSettings: "The settings are those already.",
    run: (text: string) => `Show run: ${text}`,
    notRead: "not read yet",
    shown: "It is the one shown.",
    model: (title: string) => `Turn to ${title}`,
    inUse: "It is the one in use.",
    unreadable: "It cannot be read at the moment.",
  },

  /** Parts of the page, as they are called where one of them fails. */
  parts: {
    page: "This page",
    head: "The head of the page",
    text: "The text",
    time: "The control of time",
    lenses: "The choice of lenses",
    lens: "The lens",
    print: "What stands under a print",
    prompt: "The box for the prompt",
    generate: "The panel that generates",
    settings: "The settings",
    runs: "The list of runs",
    run: "A run of this list",
    kept: "The note on what is kept",
    newer: "The note on a newer page",
    tour: "The tour",
    aloud: "What is read aloud",
    models: "The shelf of models",
    model: (label: string) => `The model ${label}`,
    drop: "The place for dropped files",
    notice: "The notice",
    experiments: "The list of experiments",
    commands: "The list of commands",
    saving: "The ways to save",
    shortcuts: "The list of shortcuts",
    card: "What else could stand there",
    failed: (name: string, why: string) => `${name} cannot be shown: ${why}`,
    runsKept: "Your runs are kept.",
    again: "Show it again",
    reload: "Reload the page",
  },

  problems: {
    /** What kind of problem it is, by its code, where the sentence itself is in another language; null where it is not. */
    heading: (_code: string): string | null => null,
    always: "Try again. If it happens every time, reload the page.",
    tryAgain: "Try again",
    useWasm: "Use WASM",
    dismiss: "Dismiss",
  },

  header: {
    findCommand: "Find a command",
    copyLink: "Copy a link to this run",
    copyEmbed: "Copy as embed",
    theme: { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" },
    documentation: "Documentation",
    shortcuts: "Keyboard shortcuts",
    notLoaded: "not loaded",
    recorded: "recorded",
    loading: (percent: number | null) => (percent === null ? "loading" : `loading ${percent} %`),
  },

  stage: {
    label: "The text and its time",
    empty: "Nothing is written yet.",
    /** Before the name of the button, and behind it; the size is that of a download which comes first. */
    press: "There is no recorded run of this model to show. Press",
    pressed: (size: string | null) => `and it writes one here${size ? `, once its ${size} are loaded` : ""}.`,
    coming: "The first words come as soon as the model is ready.",
    loadingModel: "Loading the model.",
    letGo: "Let go",
    holdThis: "Hold this word",
    holdAnother: "or hold another",
    hold: "Hold",
    fork: "Go on from here",
    forkLabel: "Go on from this step, with the settings as they stand",
  },

  /** What is wrong with a word that is to be held. */
  holding: {
    nothing: "Type the word that is to stand here.",
    notLoaded: "The model has to be loaded to read a word.",
    otherModel: "This text is another model's.",
    numbers: (last: number) => `Give numbers of tokens, from 0 to ${last}.`,
    unknown: "The tokenizer knows nothing of this word.",
    noRoom: (tokens: number) => `It takes ${count(tokens, "token", "tokens")}, which is more than fit here.`,
  },

  held: {
    said: (words: number) => `${count(words, "word", "words")} held in the next run`,
    label: "Held words",
    title: "Held in the next run",
    letGo: (word: string, position: number) => `Let ${word} at position ${position} go`,
    letAllGo: "Let all held words go",
    clear: "Clear",
  },

  prompt: {
    label: "Prompt",
    done: "Done",
    optional: "optional",
    leaveEmpty: "Leave empty to let it write freely",
    try: "Try",
    writeTo: "Write to",
    writeToNumbers: "Write to, as numbers of tokens",
    /** How long it is, and may be; `tokens` is null until they are counted. */
    count: (tokens: number | null, most: number) =>
      tokens === null ? `at most ${most} tokens` : `${tokens} of ${most} tokens`,
    countOptional: (most: number) => `optional, at most ${most} tokens`,
    nothing: "Type what it is to write to.",
    noTokenizer: "This model has no tokenizer: give the numbers of tokens, parted by commas.",
    noToken: (id: number, last: number) => `It has no token ${id}: its last is ${last}.`,
    tooManyLetters: (letters: number, most: number) =>
      `${number(letters)} letters are too many: this model reads at most ${most} tokens. Make it much shorter.`,
    tooLong: (tokens: number, most: number) =>
      `${tokens} tokens are too many: this model reads at most ${most}. Make it shorter.`,
  },

  generate: {
    label: "Generate",
    /** What the great button does; while a run is under way it ends that run. */
    go: { idle: "Generate", loading: "Loading…", running: "Write anew" },
    cancel: "Cancel",
    stopping: "Stopping…",
    loadsOnce: (size: string) => `Loads ${size} once, then writes on this device.`,
    refused: "A number below cannot be used yet.",
    promptRefused: "The prompt cannot be used yet.",
    heldBeyond: (position: number, room: number) =>
      `A word is held at position ${position}, and only ${room} are written. Let it go, or give a greater length.`,
    writing: "Writing the text",
    step: (step: number, steps: number) => `Step ${step} of ${steps}`,
    secondsLeft: (seconds: number) => `${number(seconds)} s left`,
    recalling: "Writing the earlier run again",
    recall: (done: number, total: number) => `Back to where it goes on: step ${done} of ${total}`,
    loadingModel: "Loading the model",
    ready: "Loaded, getting ready",
    unpacking: "Unpacking the weights",
    preparing: (graph: string | null) => `Preparing the ${graph ?? "network"}`,
    checking: (graph: string | null) => `Checking the ${graph ?? "network"} on this device`,
    asking: "Asking for the model",
    linked: "Run of this link",
    linkedRun: "This link tells of a run.",
    linkedExperiment: (title: string) => `This link tells of an experiment: ${title}.`,
    write: "Write it",
    leave: "Leave it",
    fromStep: (step: number) => `from step ${step} of another run`,
    whichGoesOn: "that goes on from one itself",
    held: (words: number) => `${count(words, "word", "words")} held`,
  },

  settings: {
    label: "Settings of the next run",
    presets: "Presets",
    own: "Settings of your own.",
    sampler: "Sampler",
    guidance: "Guidance",
    start: "Start",
    /** A number as it is typed in this language, as it is written everywhere else: with a point. */
    numberTyped: (typed: string) => typed,
    refused: (integer: boolean, least: number, greatest: number) =>
      `Give ${integer ? "a whole number" : "a number"} from ${least} to ${greatest}.`,
    steps: {
      name: "Steps",
      is: "Stops on the way from noise to text. More of them make cleaner text and take longer.",
    },
    method: {
      name: "Method",
      ode: "Straight along the flow: what the start noise says is final.",
      sde: "Adds a little fresh noise before every step, so that early mistakes can be mended.",
    },
    gamma: {
      name: "Fresh noise",
      is: "How much noise comes back before each step. None leaves mistakes standing; with much, a step keeps little but its last guess: plainer text, less varied.",
    },
    gammaCurve: {
      draw: "Draw γ over t",
      label: "Fresh noise γ over t",
      knot: (knot: number, knots: number) => `Knot ${knot} of ${knots}`,
      at: (gamma: number, t: number) => `γ ${gamma} at t = ${t}`,
      is: "γ goes straight from knot to knot. Press to add one, draw it where it should be, or use the arrow keys; Delete takes it away.",
      behind: "Behind it the run shown: its entropy, a thin line, and its repeats, dotted.",
      add: "Add a knot",
      remove: "Take the knot away",
      one: "One γ again",
    },
    schedule: {
      name: "Schedule",
      names: { logit_normal: "Logit-normal", quantile: "Quantile", uniform: "Uniform" },
      are: {
        logit_normal: "Most steps while the text is still vague, where the words are chosen. Drawn from the seed.",
        quantile: "Spread as logit-normal would draw them, but evenly: the same for every seed.",
        uniform: "Steps evenly spread in t, from noise to text.",
      },
    },
    cfgScale: {
      name: "Prompt",
      is: "How strongly it is drawn to what the prompt asks. 1 is none beyond reading it; more takes twice the time.",
      idle: "It has no effect while there is no prompt to be drawn to.",
    },
    selfCondScale: {
      name: "Self-conditioning",
      is: "How far it trusts its own last guess. Higher is safer, plainer prose; above 5 it was never trained.",
    },
    seed: {
      name: "Seed",
      isKept: "Seed is kept for every run",
      keep: "Keep this seed",
      draw: "Draw a new seed",
      kept: "The noise it starts from. Kept: the same settings write the same text again.",
      drawn: "The noise it starts from. Each run draws its own; the lock keeps this one.",
    },
    length: {
      name: "Length",
      is: "Tokens to write. The text may end sooner; what stands after its end fades.",
    },
  },

  presets: {
    own: { label: "This model's own", note: "What its maker found to write best." },
    free: {
      official: { label: "Official, 32 steps", note: "What the paper uses to write freely." },
      draft: { label: "Draft, 8", note: "A quarter of the steps: four times as fast, and rougher." },
      ode: {
        label: "Pure ODE, 64",
        note: "No fresh noise: small steps, and what is wrong early stays wrong.",
      },
      "over-guided": {
        label: "Over-guided",
        note: "Guidance beyond anything it was trained with: watch the text repeat itself or break.",
      },
    },
    prompted: {
      official: { label: "Official, 64 steps", note: "What the paper uses to write to a prompt." },
      draft: { label: "Draft, 8", note: "An eighth of the steps: eight times as fast, and rougher." },
      unguided: {
        label: "Without guidance",
        note: "It reads the prompt and nothing draws it there: half the time, and it wanders off more easily.",
      },
      "over-guided": {
        label: "Over-guided",
        note: "Far more guidance than anybody needs: watch the text repeat itself or break.",
      },
    },
  },

  /** What is now as it was, or again as it had been. */
  history: {
    names: {
      steps: "Steps",
      method: "Sampler",
      gamma: "γ",
      gammaCurve: "γ over t",
      selfCondScale: "w",
      cfgScale: "ω",
      schedule: "Schedule",
      solver: "Solver",
      rng: "Random numbers",
      seed: "Seed",
      length: "Length",
      lock: "Lock of the seed",
      prompt: "Prompt",
      held: "Held words",
    },
    on: "on",
    off: "off",
    /** Where one γ takes the place of a curve. */
    noCurve: "off",
    noPrompt: "nothing",
    noneHeld: "none",
    quoted: (text: string) => `“${text}”`,
    back: (name: string, value: string) => `${name} back to ${value}.`,
    again: (name: string, value: string) => `${name} again ${value}.`,
    /** One of several. */
    each: (name: string, value: string) => `${name.charAt(0).toLowerCase()}${name.slice(1)} ${value}`,
    allBack: (each: string) => `Back to ${each}.`,
    allAgain: (each: string) => `Again ${each}.`,
  },

  experiments: {
    title: "Experiments",
    showMe: "Show me",
    try: "Try it",
    /** By its name in an address. */
    each: {
      samplers: {
        title: "ODE and SDE from the same noise",
        about:
          "The ODE follows the flow and nothing else; the SDE mixes fresh noise in before every step, and may think again.",
      },
      steps: {
        title: "8 and 64 steps",
        about: "Few steps decide many words at once, which then do not always agree; many steps decide them in turn.",
      },
      noise: {
        title: "Little and much fresh noise",
        about: "With more fresh noise words are decided later and mended more often: smoother texts, and more alike.",
      },
      "self-conditioning": {
        title: "Little and much self-conditioning",
        about:
          "The higher w, the more it trusts its last guess: surer words sooner, and too much of it repeats itself.",
      },
      guidance: {
        title: "With and without guidance by the prompt",
        about:
          "The higher ω, the closer the text keeps to the prompt; at 1 there is no guidance, only the prompt itself.",
      },
      schedules: {
        title: "Even steps and logit-normal ones",
        about:
          "Logit-normal times take most steps early, where the text is decided; even ones spend as many at the end.",
      },
      seeds: {
        title: "The same in five seeds",
        about: "Everything is the same but the noise that it begins with.",
      },
      "best-of-four": {
        title: "Best of four",
        about:
          "Four seeds, and all else the same. The text that the model is surest of stays: made-up words are rarer in it.",
      },
    },
    evenInT: "Even in t",
    axes: {
      steps: "Steps",
      gamma: "Fresh noise γ",
      selfCondScale: "Self-conditioning w",
      cfgScale: "Guidance ω",
    },
    gridIs: "Every pair of the two, from the same noise. Each text is a run: a press puts it on the shelf.",
    twoModels: (one: string, other: string) => `${one} and ${other}`,
    twoModelsAre: "Two models, the same noise and prompt, each by the settings it was made for.",
    whyNot: {
      noPrompt: "It takes a run with a prompt.",
      oneSetting: "A grid has two different settings at its sides.",
      oneModel: "It takes two different models.",
      held: "It takes a run in which no word is held.",
      otherNoise: (model: string) => `The noise of ${model} has another width.`,
      tooLong: (model: string, most: number) => `${model} writes ${most} tokens at most.`,
      takesNoPrompt: (model: string) => `${model} takes no prompt.`,
      promptOfNumbers: "It takes a prompt of words: the numbers of its tokens are this model's own.",
      fromText: "It takes a run that starts from the noise of its seed.",
      notWhole: "It takes a run that is complete.",
      noEncoder: (model: string) => `${model} brings no encoder, which a text needs to be taken back.`,
      noSeed: "The other seed is an integer from 0 to 4294967295.",
      sameSeed: (seed: number) => `The run shown begins at seed ${seed} itself. Give another.`,
      needsPrompt: (model: string) => `${model} writes nothing without a prompt.`,
      answersPrompts: (model: string) => `${model} answers its prompt; the judge would only go on from it.`,
    },
    madeOf: (settings: string) =>
      `Each is made of the run shown${settings && `, ${settings}`}, and writes what is not on the shelf yet.`,
    anotherModel: "Another model from the same noise",
    anotherModelIs:
      "Teacher and student, or two checkpoints: each by the settings it was made for, then in step or by the clock.",
    beside: "Beside",
    race: "Race a next-word model",
    raceIs:
      "One beginning, written all at once by the flow, and word by word by a next-word model of about its size, the judge, each as fast as it was here. Without a prompt the judge goes on from the flow's first word.",
    raceOfTranslators:
      "One sentence, translated all at once by the flow, and word by word by a next-word translator of the same size that has learned from the same sentences, each as fast as it was here.",
    atOnce: "All at once",
    wordByWord: "Word by word",
    grid: "A grid of two settings",
    down: "Down",
    across: "Across",
    fill: "Fill the grid",
    twoNoises: "Between two noises",
    fromNoise: (seed: number) => `From the noise of seed ${seed} to that of`,
    goBetween: "Go from one to the other",
    wayBack: "Back to noise, and forward again",
    wayBackIs:
      "The ODE leads from the text of the run shown back to the noise that it would have come from, and forward from there. What does not come back is what the model knows worst. Words that are held are kept on the way forward, and the rest follows them.",
    writeBack: "Write it back",
    between: (other: number) => `From its noise to that of seed ${other}`,
    betweenIs:
      "Each begins a quarter of the way further from its own noise to the other's; all else, fresh noise too, is the same.",
    toSeed: (seed: number) => `to seed ${seed}`,
    runsOfShelf: (runs: number) => `${runs} runs of the shelf`,
    sideBySide: "Side by side on one time.",
    back: "Back to one run",
    byTheClock: "By the clock",
    copyLink: "Copy a link",
    writeTheRest: "Write the rest",
    written: (written: number, runs: number) => `${written} of ${runs} written`,
    /** Beside the text that the model is surest of; and which one that is, by its label. */
    surest: "surest",
    surestIs: (label: string) => `The model is surest of ${label}.`,
    showAlone: (label: string) => `Show ${label} alone`,
  },

  lensPanel: {
    none: "No lens",
    coming: "The lens comes …",
    /** Runs like the one shown, whose settling is counted. */
    count: (runs: number) => `Count ${count(runs, "run", "runs")} like it`,
    counted: (counted: number, runs: number) => `${counted} of ${runs} runs counted.`,
    stopCounting: "Stop counting",
    /** Of paths that a run was kept without. */
    pathsOf: "It was written by",
    pathsTurn: "Turn to that model (M), and its recipe finds them again.",
    findPaths: "Find them by its recipe",
    loadAndFindPaths: "Load the model and find them",
    findingPaths: "Looking …",
    writtenAgain: (done: number, total: number) => `Written again as far as step ${done} of ${total}.`,
    pathsOfAnother:
      "Written again here, its recipe comes to another text: the paths would not be those of this run. Its model was stored or computed otherwise.",
  },

  judge: {
    /** Where it is not known yet how large it is, without a number. */
    about: (parameters: number | null) =>
      `The judge is a next-word model${parameters === null ? "" : ` of ${number(parameters / 1e6)} million parameters`} that has learned short English stories. It runs on this device and reads every whole run here. Of other kinds of text its figures say little.`,
    aboutTranslator: (parameters: number | null) =>
      `The judge is a next-word translator${parameters === null ? "" : ` of ${number(parameters / 1e6)} million parameters`} that has learned the same German and English sentences as the flow. It runs on this device and reads every whole translation here, given what was translated.`,
    fetch: (size: string) => `Fetch the judge${size && ` (${size})`}`,
    coming: "The judge comes",
    cancel: "Cancel",
    /** Before something that needs it. */
    isFetched: (size: string) => `The judge is fetched for it: ${size}.`,
    reads: "The judge is here.",
  },

  legend: {
    title: "What the marks mean",
    button: "Legend",
    close: "Close",
    sure: "How sure the model is",
    sureIs:
      "Full ink is decided. The fainter and more violet, the more other words could stand there; in a finished text, too.",
    open: "Not decided yet",
    openIs: (words: number) => `Blurred: over ${words} words would do as well. The last step leaves none blurred.`,
    changed: "Just changed",
    changedIs: "Orange: another word stood here one step ago. It fades while you look.",
    ended: "Past the end",
    endedIs: "The violet square ends the text; what stands grey behind it is no part of it.",
    held: "Held",
    heldIs: "Double line: you held it in this run. Dots: the next run will.",
    settled: "Settled",
    settledIs: "A bar for the words that change no more after a step; pale where the time shown has not come to it.",
  },

  help: {
    title: "Keyboard",
    marks: "What the marks in the text mean",
    tokens: "In the text, Tab reaches the tokens; arrows move from one to the next.",
    letterKeys: "Shortcuts of a single letter or sign",
    language: "Language",
    ofTheBrowser: "The browser's",
  },

  sheet: { close: "Close", listComes: "The list comes …" },

  saving: {
    button: "Save",
    title: "Save this run",
    nothing: "There is no run to save.",
    text: "The text",
    textIs: "What it wrote, and nothing else.",
    run: "The run",
    runIs: "Every step of it and how to write it again: a file that opens again on this page, or is shown in others.",
    picture: (step: number, steps: number) => `Step ${step} of ${steps} as a picture`,
    pictureIs: "As the stage shows it, with the run's recipe in the file: opened on this page, it brings the run.",
    moving: "The whole run as a picture that moves",
    movingIs: "From noise to text, with its recipe in the file: a GIF of 880 × 420, or a film of 1920 × 1080.",
    shelf: (runs: number) => `All ${runs} runs of the shelf`,
    shelfIs: "One file, which brings them back when it is opened here.",
    as: { text: "Save as text", JSON: "Save as JSON", svg: "Save as SVG", png: "Save as PNG" },
    asMoving: { GIF: "Save as GIF", film: "Save as film" },
    all: "Save all runs",
    open: "Open a file…",
    opened: "What was saved before",
    openedIs: "A run, a shelf or a picture of a run comes back: picked here, or dropped anywhere on the page.",
    done: (done: number, total: number) => `${done} of ${total}`,
    stop: (progress: string) => `Stop (${progress})`,
  },

  tour: {
    button: "Tour",
    count: (stop: number, stops: number) => `${stop} of ${stops}`,
    back: "Back",
    next: "Next",
    done: "Done",
    showMe: "Show me",
    more: "Read more",
    leave: "Leave the tour",
    /** By the chapter of the documentation that says more. */
    stops: {
      noise: {
        title: "Noise",
        text: "Every place of the text has a vector of numbers from the start, and at t = 0 all of them are noise. Read as words, noise says nothing. The seed is the noise: the same seed writes the same text.",
      },
      step: {
        title: "One step",
        text: "From the noise the network guesses the whole text at once: that is what it expects. The state then goes a little way towards the guess, all places together, and the network guesses anew. Step on with the arrow keys.",
      },
      schedule: {
        title: "Schedule",
        text: "The steps are not even. Most of them stand early, while the text is vague and words are chosen; once they are chosen a few long steps do.",
      },
      "self-conditioning": {
        title: "Self-conditioning",
        text: "At every step the network is given its own last guess. How far it trusts it, w says: with much trust words are decided sooner, and said more often.",
      },
      guidance: {
        title: "Guidance",
        text: "A prompt stands before the text and never moves. ω says how far the text is drawn away from what would be written without it: more keeps closer to the prompt, and varies less.",
      },
      decoding: {
        title: "Decoding",
        text: "At t = 1 the vectors are named as words. When each was decided the certainty lens shows: a row for every token, violet while it is open, paper once it is decided. Press any place of it.",
      },
      "few-steps": {
        title: "Few steps",
        text: "All words are written at once, so the number of steps is yours: 8 take an eighth of the time of 64, and decide many words together that do not always agree. Students are trained to do with few.",
      },
    },
  },

  runs: {
    label: "Runs",
    recorded: "Recorded",
    opened: "From a file",
    writing: (step: number, steps: number) => `Writing, step ${step} of ${steps}`,
    failed: (step: number, steps: number) => `Failed at step ${step} of ${steps}`,
    stopped: (step: number, steps: number) => `Stopped at step ${step} of ${steps}`,
    seconds: (seconds: number) => `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`,
    noWords: "No words yet.",
    delete: (settings: string) => `Delete the run ${settings}`,
    deleteIt: "Delete it",
    compare: (settings: string) => `Lay beside the run shown: ${settings}`,
    from: (step: number, parent: string) => `from step ${step} of ${parent}`,
    goneParent: (seed: number | undefined) => `a run of seed ${seed}, not on this shelf`,
    recordedParent: "the recorded run",
    quoted: (beginning: string) => `“${beginning}…”`,
    wordlessParent: "a run without words",
    held: (tokens: number) => `${count(tokens, "token", "tokens")} held`,
    forks: (runs: number) => `${count(runs, "run goes", "runs go")} on from it`,
    deleted: "Run deleted.",
    undo: "Undo",
    /** At the end of those that are on the shelf to be seen. */
    older: (runs: number) => `Show ${count(runs, "older run", "older runs")}`,
  },

  /** What this browser does not keep. */
  keeping: {
    names: { runs: "runs", settings: "settings", models: "models" },
    sentence: (names: readonly string[]) =>
      `This browser keeps no ${anyOf(names)} of this page: they last until it is closed.`,
    newer: "A newer version of this page is here.",
    load: "Load it",
    runsStay: "Your runs stay.",
  },

  models: {
    title: "Models",
    precision: { f32: "32-bit", f16: "16-bit", q8: "8-bit", q4: "4-bit" },
    parameters: (parameters: number) =>
      parameters < 1e6
        ? `${Math.round(parameters / 1e3)} thousand parameters`
        : `${(parameters / 1e6).toFixed(parameters < 1e8 ? 1 : 0)} million parameters`,
    asTrained: "The weights as they were trained.",
    /** `percent` of the tokens of whole runs. */
    agreement: (percent: number, isApproximate: boolean) =>
      `${isApproximate ? "Approximate. " : ""}In whole runs ${percent === 100 ? "100" : percent.toFixed(1)} % of the tokens are those that 32-bit weights write.`,
    toDownload: (size: string) => `${size} to download.`,
    stored: (size: string) => `${size}, stored on this device.`,
    storedInPart: (size: string, stored: string) => `${size}; ${stored} of it are here already.`,
    weights: (precision: string) => `${precision} weights`,
    memory: (size: string, backend: string, length: number, parts: string) =>
      `Takes up to ${size} of memory on ${backend} at ${length} tokens: ${parts}.`,
    memoryParts: {
      weights: "weights",
      packed: "packed weights",
      "reading prompts": "reading prompts",
      activations: "activations",
      "reading the text": "reading the text",
    },
    doesNotFit: "It does not fit here.",
    nothingFits: "Nothing of it fits here.",
    /** `changes` are those below. */
    nearest: (changes: readonly string[], size: string) => `It fits with ${changes.join(" and ")}: ${size}.`,
    onWasm: "the wasm backend",
    onWebGpu: "the WebGPU backend",
    atPrecision: (precision: string) => `the precision ${precision}`,
    atLength: (tokens: number) => `a length of ${tokens} tokens`,
    keepsNothing:
      "This window keeps nothing: models stay in memory until the page is closed. That is so in private windows of some browsers and on plain http.",
    noneStored: "No model is stored on this device",
    bytesStored: (size: string) => `${size} are stored on this device`,
    room: (stored: string, free: string | null) =>
      free === null ? `${stored}.` : `${stored}; the browser has room for ${free} more.`,
    pageNotKept: "The page itself needs a network to open: this browser does not keep it.",
    pageKept: (size: string | null) =>
      `The page itself${size ? `, ${size}` : ""}, is kept too: it opens without a network, with the models that are stored.`,
    deletePage: "Delete it",
    asksHub: (host: string | null) =>
      `Asks ${host}, which hands large files out from its own hosts under hf.co. They learn your network address and which model you load, nothing you write.`,
    asksHost: (host: string) =>
      `Asks ${host} and no other host. It learns your network address and which model you load, nothing you write.`,
    asksNobody: "Lies on this page's own server.",
    unreadableStored: "It was stored by another version of this page and can only be deleted.",
    unreadable: "It cannot be read at the moment.",
    upTo: (tokens: number) => `up to ${tokens} tokens`,
    precisionOf: (title: string) => `Precision of ${title}`,
    approximate: (precision: string) => `${precision}, approximate`,
    runsOn: (backend: string) => `Runs on: ${backend}.`,
    cancel: "Cancel",
    endsRun: "Ends the run under way; what it wrote is kept.",
    inUse: "In use",
    load: "Load",
    downloadOnly: "Download only",
    delete: "Delete…",
    deleteBytes: (size: string) => `Delete ${size}`,
    keep: "Keep it",
    badges: {
      ready: "in use",
      loading: "loading",
      chosen: "chosen",
      stored: "stored",
      inPart: "stored in part",
      shipped: "ships with the page",
      hub: "from the hub",
      address: "from elsewhere",
      folder: "your folder",
    },
    storage: "Storage",
    lasts: "The browser keeps them until you delete them.",
    mayBeCleared: "The browser may clear them when the device runs short of space.",
    keepForGood: "Keep them for good",
    onThisDevice: "Models run on this device. Nothing you write is sent anywhere.",
    add: "Add a model",
    hubOrAddress: "Hub id or address",
    hubOrAddressLike: "owner/name, owner/name@revision or https://…",
    lookUp: "Look it up",
    lookUpAt: (host: string) => `Look it up at ${host}`,
    nothingAsked: "Nothing is asked before you press the button.",
    chooseFolder: "Choose a folder…",
    orDrop: "or drop one anywhere on the page. It stays on this device.",
    looking: (what: string) => `Looking at ${what}…`,
    drop: "Drop a model’s folder, a run, or a picture of one",
    downloading: "Downloading",
    downloadingModel: "Downloading the model",
    bytesOf: (done: string, total: string) => `${done} of ${total}`,
    perSecond: (size: string) => `${size}/s`,
    secondsLeft: (seconds: number) => `${number(seconds)} s left`,
    /** Behind the reason for a wait; `attempt` counts the tries. */
    tryingAgain: (seconds: number, attempt: number) =>
      `Trying again ${seconds < 1 ? "at once" : `in ${Math.ceil(seconds)} s`}${attempt > 2 ? ` (try ${attempt})` : ""}`,
    news: {
      found: (title: string) => `${title} was found.`,
      stored: (title: string) => `${title} is stored on this device.`,
      deleted: (title: string) => `${title} was deleted from this device.`,
      kept: "The browser will keep stored models.",
      notKept: "The browser did not promise to keep stored models.",
    },
  },
};

type Table = typeof ENGLISH;

/** What a language has to say. */
export interface Words extends Table {}
