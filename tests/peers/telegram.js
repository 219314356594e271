// A Telegram that we did not write: npm telegram-test-api with one person who talks to the bot.
// usage: telegram.js PORT TOKEN LINE…   Says each line when the bot has been there, and prints what the bot answers as JSON.
'use strict';
const path = require('path');
const peers = path.join(__dirname, '../../target/peers/telegram/node_modules/');
const TelegramServer = require(path.join(peers, 'telegram-test-api'));

async function main() {
  const [port, token, ...lines] = process.argv.slice(2);
  const server = new TelegramServer({ port: Number(port), host: '127.0.0.1', storage: 'RAM', storeTimeout: 600 });
  await server.start();
  const person = server.getClient(token, { userId: 42, chatId: 42, firstName: 'Ann', timeout: 60000 });
  console.log('listening');
  for (const line of lines) {
    await person.sendCommand(person.makeCommand(line));
    const answer = await person.getUpdates();
    for (const update of answer.result) console.log(JSON.stringify(update.message));
  }
  console.log('done');
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
