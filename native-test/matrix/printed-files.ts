/** Where the files that `signet config` printed are, by their parts. */
export type Files = ReadonlyMap<string, string>;

export function fileOf(files: Files, part: string): string {
  const file = files.get(part);
  if (file === undefined) throw new Error(`nothing was printed for ${part}`);
  return file;
}
