// What HeadAudio (npm @met4citizen/headaudio, MIT) hears and shows, 100 times a second, without a browser.
//   node headaudio.mjs FOLDER_OF_THE_PACKAGE < sounds.json > shown.json
// Sounds: [[samples at 16 kHz], ...]. Shown: for each [[active viseme or -1, weight of each of 15], ...].
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const folder = resolve(process.argv[2]);
const load = (name) => import(pathToFileURL(`${folder}/modules/${name}.mjs`).href);
const { Processor } = await load("processor");
const { Training } = await load("training");
const { HeadAudio } = await (async () => {
  globalThis.AudioWorkletNode = class { constructor() { this.port = { postMessage() {} }; } };
  return load("headaudio");
})();
const bytes = readFileSync(`${folder}/dist/model-en-mixed.bin`);
globalThis.fetch = async () => ({
  ok: true,
  arrayBuffer: async () => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
});
const HOP = 160, BLOCK = 32; // samples: 10 ms, and what is handed over at a time

async function shown(samples) {
  const face = new HeadAudio({ sampleRate: 16000 }, {});
  const weights = new Array(face.nVisemes).fill(0);
  face.onvalue = (name, value) => { weights[face.visemeNames.indexOf(name)] = value; };
  const worklet = { port: { postMessage: (data) => face._onmessage({ data }) } };
  const heard = new Processor({ sampleRate: 16000 }, worklet);
  const { model } = await new Training({}).loadModel("model");
  heard._onmessage({ data: { event: "model", model } });
  const frames = [];
  for (let at = 0; at + HOP <= samples.length; at += HOP) {
    for (let part = at; part < at + HOP; part += BLOCK) {
      heard.process(Float32Array.from(samples.slice(part, part + BLOCK)));
    }
    face.update(10);
    frames.push([face.visemeActive, ...weights.map((weight) => Number(weight.toFixed(4)))]);
  }
  return frames;
}

const sounds = JSON.parse(readFileSync(0, "utf8"));
const all = [];
for (const samples of sounds) all.push(await shown(samples));
process.stdout.write(JSON.stringify(all));
