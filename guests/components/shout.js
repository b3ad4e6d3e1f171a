// Exported functions, by componentize-js.
export function processData(input) { return input.toUpperCase(); }
export function greet({ name, times }) {
  if (times > 3) throw 'too often';
  const text = Array(times).fill(`Hello ${name}`).join(' ');
  return { text, length: text.length };
}
