// The code in the upper rows of a picture (see vcam/tickcode.py); null: none that is sure.
const BITS = 16;

function tickcode(context, width) {
  const row = Math.floor(width / BITS / 4), pixels = context.getImageData(0, row, width, 1).data;
  let code = 0, sure = true;
  for (let bit = 0; bit < BITS; bit++) {
    const level = pixels[4 * Math.floor(((bit + 0.5) * width) / BITS) + 1];
    if (level > 128) code += 2 ** bit;
    sure &&= Math.abs(level - 128) > 48;
  }
  return sure ? code : null;
}
