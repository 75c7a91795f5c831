using System;
using System.Collections.Generic;
using System.Threading.Tasks;

namespace NpcBridge.Examples
{
    /// <summary>
    /// Asks Mara for a sword and prints what she says and does. HOST PORT TOKEN; runs with or without Unity.
    /// </summary>
    public static class Talk
    {
        public static int Main(string[] arguments)
        {
            if (arguments.Length == 3)
                return Run(arguments).GetAwaiter().GetResult();
            Console.Error.WriteLine("usage: talk.exe HOST PORT TOKEN   (TOKEN may be \"\")");
            return 2;
        }

        private static async Task<int> Run(string[] arguments)
        {
            var options = new NpcClientOptions
            {
                Host = arguments[0], Port = int.Parse(arguments[1]), Token = arguments[2], ClientName = "talk example",
            };
            using (var client = new NpcClient(options))
            {
                try
                {
                    await client.ConnectAsync();
                    // what she holds; before the game has told it, she cannot give it
                    var state = new Dictionary<string, object> { ["holds"] = new[] { "sword" } };
                    await client.SetStateAsync(state, "mara");
                    var mara = await client.TalkAsync("mara", "Robin");
                    Console.WriteLine("Mara: " + mara.Greeting);
                    var reply = mara.Say("Give me the sword.", said =>
                    {
                        said.SentenceReceived += (number, sentence) => Console.WriteLine("Mara: " + sentence);
                        said.ToolCalled += call =>
                        {
                            Console.WriteLine("Mara does: " + call.Name + " " + call.Arguments["item"]);
                            call.Accept();
                        };
                    });
                    await reply.ReadAsync();
                }
                catch (NpcException error)
                {
                    Console.WriteLine(error);
                    return 1;
                }
                await client.CloseAsync();
            }
            return 0;
        }
    }
}
