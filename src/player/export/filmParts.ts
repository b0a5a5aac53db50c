/** What `video.ts` takes of mediabunny, named so that a build leaves out the nine tenths that read files and sound. */
export {
  BufferTarget,
  CanvasSource,
  canEncodeVideo,
  Mp4OutputFormat,
  Output,
  QUALITY_HIGH,
  WebMOutputFormat,
} from "mediabunny";
