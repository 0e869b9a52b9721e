export * from './reprise';
