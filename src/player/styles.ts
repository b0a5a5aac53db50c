import lensView from "./lenses/LensView.module.css?inline";
import playerView from "./PlayerView.module.css?inline";
import theme from "./player.css?inline";
import givenPrompt from "./stage/GivenPrompt.module.css?inline";
import progress from "./stage/Progress.module.css?inline";
import stage from "./stage/Stage.module.css?inline";
import tokenCard from "./stage/TokenCard.module.css?inline";
import tokenFlow from "./stage/TokenFlow.module.css?inline";
import track from "./transport/Track.module.css?inline";
import transport from "./transport/Transport.module.css?inline";
import button from "./ui/Button.module.css?inline";
import choice from "./ui/Choice.module.css?inline";
import iconButton from "./ui/IconButton.module.css?inline";

/** All styles of the room as text, for a shadow root: what a page links reaches none. */
export const playerStyles = [
  theme,
  playerView,
  lensView,
  givenPrompt,
  progress,
  stage,
  tokenCard,
  tokenFlow,
  track,
  transport,
  button,
  choice,
  iconButton,
].join("");
