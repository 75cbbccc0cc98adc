// What fonts.ts uses of subset-font, which comes without types.
declare module 'subset-font' {
  type Options = { targetFormat?: 'woff2'; noHinting?: boolean; keepFeatures?: string[] };
  export default function subset(font: Buffer, letters: string, options?: Options): Promise<Buffer>;
}
